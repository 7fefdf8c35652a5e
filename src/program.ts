/** The command tree, built from the verbs' definitions. Only the verb that is used is loaded. */
import { Command, CommanderError, Option } from "commander";
import type { Environment } from "./client/services.ts";
import { asksForWords, wordsCommand } from "./commands/completion/line.ts";
import type { Format } from "./commands/format.ts";
import { GLOBAL_OPTIONS, globalFlags } from "./commands/globals.ts";
import type { HelpInput } from "./commands/help/help.ts";
import { toldByVariable, wrongChoice } from "./commands/hints.ts";
import { VERBS, type VerbEntry } from "./commands/index.ts";
import { prepare } from "./commands/prepare.ts";
import type { Answer } from "./commands/schemas/schema.ts";
import { type AnyVerb, Flags, flagName, type OptionSpec, variablesOf } from "./commands/verb.ts";
import type { Context } from "./context.ts";
import { SregistryError } from "./errors.ts";

export interface Program {
  /** The flags as far as they could be read; how to print depends on them even when parsing failed. */
  readonly flags: Flags;
  /** What --format makes of the answer. */
  readonly render: Format | undefined;
  /** What to do. */
  readonly run: (context: Context) => Promise<void>;
}

export interface ProgramInput {
  readonly argv: readonly string[];
  readonly env: Environment;
  readonly version: string;
}

/**
 * What a shell asks while somebody types never fails: a variable that is wrong is told when a command is run.
 * @throws SregistryError USAGE or REFERENCE_INVALID. Help and version come back as something to run.
 */
export async function parseProgram(input: ProgramInput): Promise<Program> {
  try {
    return await parseCommand(input);
  } catch (error) {
    if (!asksForWords(input.argv)) throw error;
    return { flags: new Flags(new Map()), render: undefined, run: async () => undefined };
  }
}

async function parseCommand(input: ProgramInput): Promise<Program> {
  const written: string[] = [];
  let parsed: Program | undefined;
  let reached: VerbEntry | undefined;
  const root = rootCommand(input, (text) => written.push(text));
  const flagsNow = (): Flags => readFlags(GLOBAL_OPTIONS, root.opts(), input.env);
  const help = (words: readonly string[], lenient: boolean): Program => ({
    flags: flagsNow(),
    render: undefined,
    run: (context) => showHelp({ words, lenient }, context),
  });
  root.configureHelp({
    formatHelp(command) {
      if (command !== root) parsed = help([command.name(), ...command.args], true);
      else {
        // A word before the root's --help is a verb that there is not.
        const [word = "--help"] = root.args;
        parsed = word.startsWith("-") ? help([], true) : help([word], false);
      }
      return "";
    },
  });
  root.hook("preSubcommand", async (_root, command) => {
    const entry = VERBS.find(({ name }) => name === command.name());
    if (entry === undefined) return;
    reached = entry;
    configureVerb(command, await entry.load(), async (verb, words, local) => {
      const flags = readFlags([...GLOBAL_OPTIONS, ...verb.options], { ...root.opts(), ...local }, input.env);
      try {
        const { answer, run } = prepare(command.name(), verb, words, flags);
        parsed = { flags, render: await rendering(flags, answer), run };
      } catch (error) {
        throw toldByVariable(error, flags);
      }
    });
  });
  for (const { name } of VERBS) root.addCommand(stub(root, name));
  root.addCommand(
    stub(root, "help")
      .argument("[words...]")
      .action((words: readonly string[]) => {
        parsed = help(words, false);
      }),
  );
  try {
    const argv = asksForWords(input.argv) ? wordsCommand(input.argv) : input.argv;
    await root.parseAsync([...argv], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (parsed !== undefined) return parsed;
    if (error.exitCode !== 0) {
      const { usageError } = await import("./commands/usage-error.ts");
      throw await usageError(error, reached, VERBS);
    }
    return { flags: flagsNow(), render: undefined, run: (context) => context.terminal.block(written.join("")) };
  }
  return parsed ?? help([], true);
}

/** @throws SregistryError USAGE for a template that does not fit the answer. A variable is not meant for verbs without fields. */
async function rendering(flags: Flags, answer: Answer | undefined): Promise<Format | undefined> {
  const { format } = globalFlags(flags);
  if (format === undefined) return undefined;
  if (answer !== undefined) return (await import("./commands/format.ts")).formatFor(format, answer);
  if (!flags.typed("format")) return undefined;
  throw new SregistryError("USAGE", "--format does not go with this verb: its answer has no fields");
}

async function showHelp(asked: HelpInput, { terminal, verbs }: Context): Promise<void> {
  const { helpText } = await import("./commands/help/help.ts");
  await terminal.screen(await helpText(asked, verbs, terminal.out.columns));
}

function rootCommand({ version }: ProgramInput, write: (text: string) => void): Command {
  const root = new Command("sregistry")
    .version(version, "--version", "print the version")
    .helpOption("-h, --help", "print this help")
    .helpCommand(false)
    .exitOverride()
    .configureOutput({ writeOut: write, writeErr: () => undefined });
  for (const spec of GLOBAL_OPTIONS) root.addOption(option(spec));
  return root;
}

/** A verb's own words and flags are added when it is the one that was typed. */
function stub(root: Command, name: string): Command {
  return root.createCommand(name).copyInheritedSettings(root).helpCommand(false);
}

type Accept = (verb: AnyVerb, words: readonly string[], local: Record<string, unknown>) => Promise<void>;

function configureVerb(command: Command, verb: AnyVerb, accept: Accept): void {
  for (const { name, description, checkedByVerb } of verb.arguments) {
    command.argument(checkedByVerb === true ? name.replace(/^<(.*)>$/, "[$1]") : name, description);
  }
  for (const spec of verb.options) command.addOption(option(spec));
  command.action((...all: unknown[]) => {
    const words = all
      .slice(0, -2)
      .flat()
      .filter((word): word is string => typeof word === "string");
    return accept(verb, words, command.opts());
  });
}

function option(spec: OptionSpec): Option {
  const made = new Option(spec.flags, spec.description);
  if (spec.hidden === true) made.hideHelp();
  if (spec.choices !== undefined) made.choices(spec.choices);
  if (spec.repeatable === true) {
    made.argParser((value: string, before: readonly string[] | undefined) => [...(before ?? []), value]);
  }
  return made;
}

/** Commander's values by long flag name; what the command line left open is filled from the environment. */
function readFlags(specs: readonly OptionSpec[], given: Record<string, unknown>, env: Environment): Flags {
  const values = new Map<string, unknown>();
  const typedNames = new Set<string>();
  const variables = new Map<string, string>();
  for (const spec of specs) {
    const made = option(spec);
    const name = flagName(spec);
    const typed = given[made.attributeName()];
    // Commander stores `--no-x` as x=false with the default true.
    const value = made.negate ? (typed === false ? true : undefined) : typed;
    const variable = variablesOf(spec).find((candidate) => (env[candidate] ?? "") !== "");
    if (value !== undefined || variable === undefined) {
      if (value !== undefined) typedNames.add(name);
      values.set(name, value);
    } else {
      variables.set(name, variable);
      values.set(name, fromEnvironment(spec, made, variable, env[variable] ?? ""));
    }
  }
  return new Flags(values, typedNames, variables);
}

function fromEnvironment(spec: OptionSpec, made: Option, variable: string, text: string): unknown {
  if (spec.choices !== undefined && !spec.choices.includes(text)) {
    const { message, hint } = wrongChoice(variable, text, spec.choices);
    throw new SregistryError("USAGE", message, { hint });
  }
  if (spec.repeatable === true) return text.split(",");
  if (made.required || made.optional) return text;
  return truth(variable, text);
}

function truth(variable: string, text: string): boolean | undefined {
  if (/^(1|true|yes|on)$/i.test(text)) return true;
  if (/^(0|false|no|off)$/i.test(text)) return undefined;
  throw new SregistryError("USAGE", `${variable} is ${JSON.stringify(text)}: expected 1 or 0`);
}
