/** The command tree, built from the verbs' definitions. Only the verb that is used is loaded. */
import { Command, CommanderError, Help, Option } from "commander";
import type { Environment } from "./client/services.ts";
import { asksForWords, wordsCommand } from "./commands/completion/line.ts";
import type { Format } from "./commands/format.ts";
import { GLOBAL_OPTIONS, globalFlags } from "./commands/globals.ts";
import { VERBS, type VerbEntry } from "./commands/index.ts";
import { insteadOf } from "./commands/old-verbs.ts";
import type { Answer } from "./commands/schemas/schema.ts";
import { type AnyVerb, Flags, type OptionSpec } from "./commands/verb.ts";
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
  /** Columns of the terminal that help is written for. */
  readonly columns: number;
}

const INTRODUCTION = "One client for every place where Singularity and Apptainer images live.";

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
  const root = rootCommand(input, (text) => written.push(text));
  root.hook("preSubcommand", async (_root, command) => {
    const entry = VERBS.find(({ name }) => name === command.name());
    if (entry === undefined) return;
    configureVerb(command, await entry.load(), async (verb, words, local) => {
      const flags = readFlags([...GLOBAL_OPTIONS, ...verb.options], { ...root.opts(), ...local }, input.env);
      const { answer, run } = verb.prepare(words, flags);
      parsed = { flags, render: await rendering(flags, answer), run };
    });
  });
  for (const entry of VERBS) root.addCommand(verbStub(root, entry));
  try {
    await root.parseAsync([...(await helpWords(root, input.argv))], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Without a verb Commander shows its help as a failure; here it is the answer.
    const isHelp = error.exitCode === 0 || error.code === "commander.help";
    if (!isHelp) throw usageError(error, helpOn(input.argv));
    return printing(written.join("") || root.helpInformation(), input.env);
  }
  return parsed ?? printing(root.helpInformation(), input.env);
}

/** @throws SregistryError USAGE for a template that does not fit the answer. A variable is not meant for verbs without fields. */
async function rendering(flags: Flags, answer: Answer | undefined): Promise<Format | undefined> {
  const { format } = globalFlags(flags);
  if (format === undefined) return undefined;
  if (answer !== undefined) return (await import("./commands/format.ts")).formatFor(format, answer);
  if (!flags.typed("format")) return undefined;
  throw new SregistryError("USAGE", "--format does not go with this verb: its answer has no fields");
}

function printing(text: string, env: Environment): Program {
  return {
    flags: readFlags(GLOBAL_OPTIONS, {}, env),
    render: undefined,
    run: (context) => context.terminal.block(text),
  };
}

function rootCommand({ version, columns }: ProgramInput, write: (text: string) => void): Command {
  const root = new Command("sregistry")
    .description(INTRODUCTION)
    .usage("VERB [options]")
    .version(version, "--version", "print the version")
    .helpOption("-h, --help", "print this help")
    .helpCommand(false)
    .exitOverride()
    .configureOutput({
      writeOut: write,
      writeErr: () => undefined,
      getOutHelpWidth: () => Math.min(columns, 100),
      getErrHelpWidth: () => Math.min(columns, 100),
    })
    .configureHelp({ subcommandTerm: (command) => command.name(), formatHelp: verbsFirst })
    .showSuggestionAfterError(true);
  for (const spec of GLOBAL_OPTIONS) root.addOption(option(spec));
  root.addHelpText(
    "after",
    `
Names: [scheme://][host[:port]/]path[:tag][@digest] with oras://, local://; a name without scheme
belongs to the default registry (--registry, SREGISTRY_REGISTRY, config), at first the embedded one.

First steps:
  sregistry push image.sif --name lab/tool --tag 1.0
  sregistry list
  sregistry pull lab/tool:1.0
Help on a verb: sregistry help VERB`,
  );
  return root;
}

/** Commander writes options before commands; what a newcomer looks for is the verbs. */
function verbsFirst(command: Command, helper: Help): string {
  const sections = Help.prototype.formatHelp.call(helper, command, helper).trimEnd().split("\n\n");
  const isOptions = (section: string): boolean => section.startsWith("Options:");
  return `${[...sections.filter((one) => !isOptions(one)), ...sections.filter(isOptions)].join("\n\n")}\n`;
}

function verbStub(root: Command, entry: VerbEntry): Command {
  return root
    .createCommand(entry.name)
    .copyInheritedSettings(root)
    .summary(entry.summary)
    .description(`${entry.summary[0]?.toUpperCase() ?? ""}${entry.summary.slice(1)}.`)
    .helpGroup(`${entry.group}:`)
    .helpCommand(false);
}

type Accept = (verb: AnyVerb, words: readonly string[], local: Record<string, unknown>) => Promise<void>;

function configureVerb(command: Command, verb: AnyVerb, accept: Accept): void {
  for (const { name, description } of verb.arguments) command.argument(name, description);
  for (const spec of verb.options) command.addOption(option(spec));
  const width = Math.max(...verb.examples.map((example) => example.command.length));
  const examples = verb.examples.map((example) => `  ${example.command.padEnd(width)}  ${example.says}`);
  command.addHelpText("after", `\nExamples:\n${examples.join("\n")}\n\nGlobal flags: sregistry --help`);
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

/**
 * `help VERB` and `help` are spelled out, so that the verb's definition is loaded before its help is written; what a shell
 * asks is turned into a command line.
 */
async function helpWords(root: Command, argv: readonly string[]): Promise<readonly string[]> {
  if (asksForWords(argv)) return wordsCommand(argv);
  if (argv[0] !== "help") return argv;
  if (argv[1] === undefined || argv[1].startsWith("-")) return ["--help"];
  if (!root.commands.some((command) => command.name() === argv[1])) return argv.slice(1, 2);
  return [argv[1], "--help"];
}

/** What to type for help on what was typed. */
function helpOn(argv: readonly string[]): string {
  const verb = argv.find((word) => VERBS.some(({ name }) => name === word));
  return verb === undefined ? "sregistry --help" : `sregistry help ${verb}`;
}

function usageError(error: CommanderError, help: string): SregistryError {
  const [first = "", ...rest] = error.message.replace(/^error: /, "").split("\n");
  const suggestion = /Did you mean (.*)\?/.exec(rest.join(" "))?.[1];
  const old = error.code === "commander.unknownCommand" ? insteadOf(/'(.*)'/.exec(first)?.[1] ?? "") : undefined;
  return new SregistryError("USAGE", first, {
    hint: old ?? (suggestion === undefined ? help : `did you mean ${suggestion}?`),
    cause: error,
  });
}

/** Commander's values by long flag name; what the command line left open is filled from the environment. */
function readFlags(specs: readonly OptionSpec[], given: Record<string, unknown>, env: Environment): Flags {
  const values = new Map<string, unknown>();
  const typedNames = new Set<string>();
  for (const spec of specs) {
    const made = option(spec);
    const name = made.long?.replace(/^--/, "") ?? "";
    const typed = given[made.attributeName()];
    // Commander stores `--no-x` as x=false with the default true.
    const value = made.negate ? (typed === false ? true : undefined) : typed;
    if (value !== undefined) typedNames.add(name);
    values.set(name, value ?? fromEnvironment(spec, name, made, env));
  }
  return new Flags(values, typedNames);
}

function fromEnvironment(spec: OptionSpec, name: string, made: Option, env: Environment): unknown {
  if (spec.noEnv === true) return undefined;
  const variables = [`SREGISTRY_${name.toUpperCase().replaceAll("-", "_")}`, ...(spec.env ?? [])];
  const variable = variables.find((candidate) => (env[candidate] ?? "") !== "");
  const text = variable === undefined ? undefined : env[variable];
  if (variable === undefined || text === undefined) return undefined;
  if (spec.choices !== undefined && !spec.choices.includes(text)) {
    throw new SregistryError("USAGE", `${variable} is ${JSON.stringify(text)}: expected ${spec.choices.join(", ")}`);
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
