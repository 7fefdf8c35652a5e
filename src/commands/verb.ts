/** The shape of a verb: a definition (from which help, man pages and completions are made), a pure parse, a short run. */
import type { Context } from "../context.ts";
import { SregistryError } from "../errors.ts";
import type { Answer } from "./schemas/schema.ts";

/** What a shell offers for a word: files of the disk, or words that `sregistry completion words` finds. */
export type WordKind =
  | "file"
  | "directory"
  /** A file or a reference. */
  | "image"
  | "reference"
  /** As `list` takes it. */
  | "pattern"
  /** A tag of the image named before. */
  | "tag"
  | "remote"
  /** A remote, or a host that a login is known for. */
  | "login"
  /** What --registry takes. */
  | "registry"
  /** A remote's or a host's address with a scheme. */
  | "endpoint";

export interface OptionSpec {
  /** Commander's notation: `-F, --force`, `--tag <tag>`. */
  readonly flags: string;
  readonly description: string;
  /** May be given several times; the values come as a list. */
  readonly repeatable?: boolean;
  readonly choices?: readonly string[];
  /** Environment variables that mean the same, besides SREGISTRY_<FLAG>, in order. */
  readonly env?: readonly string[];
  /** Old spellings that must work but are not shown. */
  readonly hidden?: boolean;
  /** Its environment form, where SREGISTRY_<FLAG> would mean something else at another verb, or be set for another reason. */
  readonly variable?: string;
  /** Why it has no environment form: a variable left behind would do harm, or it is another flag's old spelling. */
  readonly noEnv?: string;
  /** The actions that it goes with; its description begins with them. Undefined: all. */
  readonly actions?: readonly string[];
  /** What its value is, where its placeholder does not say it (src/commands/completion/model.ts). */
  readonly completes?: WordKind;
}

/** `--ca-file` -> `ca-file`. */
export function flagName({ flags }: OptionSpec): string {
  return /--([a-z][a-z-]*)/.exec(flags)?.[1] ?? "";
}

/** The variables that mean the same as a flag, the first of them before the others. */
export function variablesOf(spec: OptionSpec): readonly string[] {
  const { variable, env = [], noEnv } = spec;
  if (noEnv !== undefined) return [];
  return [variable ?? `SREGISTRY_${flagName(spec).toUpperCase().replaceAll("-", "_")}`, ...env];
}

export interface ArgumentSpec {
  /** Commander's notation: `<reference...>`, `[pattern]`. */
  readonly name: string;
  readonly description: string;
  /** What it is, where its name does not say it. */
  readonly completes?: WordKind;
  /** The words that it may be; the verb's other arguments are the action's own. */
  readonly actions?: readonly ActionSpec[];
  /** It is needed, but not with a hidden flag: the verb itself says that it is missing. */
  readonly checkedByVerb?: true;
}

export interface ActionSpec {
  /** `list`; `user add` is two words. */
  readonly name: string;
  readonly description: string;
  /** The words behind it, for its help: `NAME URI`. */
  readonly usage?: string;
  /** What follows it. */
  readonly takes?: readonly WordKind[];
}

export interface ExampleSpec {
  readonly command: string;
  readonly says: string;
}

export interface Verb<Input> {
  /** What its help says of it, where that is more than the summary. */
  readonly about?: string;
  readonly arguments: readonly ArgumentSpec[];
  readonly options: readonly OptionSpec[];
  readonly examples: readonly ExampleSpec[];
  /** Every document that it may answer with. */
  readonly answers: readonly Answer[];
  /** Which of several it will be. */
  answer?(input: Input): Answer | undefined;
  /** Pure: words and flags in, what to do out. @throws SregistryError USAGE or REFERENCE_INVALID. */
  parse(words: readonly string[], flags: Flags): Input;
  run(input: Input, context: Context): Promise<void>;
}

/** What the words and flags came to. */
export interface Prepared {
  /** Undefined where no document is answered with. */
  readonly answer: Answer | undefined;
  readonly run: (context: Context) => Promise<void>;
}

/** A verb whose input type only it knows. */
export interface AnyVerb extends Omit<Verb<never>, "parse" | "run" | "answer"> {
  /** What the words and flags mean, to be looked at; `prepare` is what runs it. */
  parse(words: readonly string[], flags: Flags): unknown;
  prepare(words: readonly string[], flags: Flags): Prepared;
}

export function defineVerb<Input>(verb: Verb<Input>): AnyVerb {
  const { about, arguments: args, options, examples, answers } = verb;
  return {
    ...(about === undefined ? {} : { about }),
    arguments: args,
    options,
    examples,
    answers,
    parse: verb.parse,
    prepare(words, flags) {
      const input = verb.parse(words, flags);
      const answer = verb.answer === undefined ? answers[0] : verb.answer(input);
      return { answer, run: (context) => verb.run(input, context) };
    },
  };
}

/** Flag values by their long name without dashes, as Commander or the environment gave them. */
export class Flags {
  readonly #values: ReadonlyMap<string, unknown>;
  readonly #typed: ReadonlySet<string>;
  readonly #variables: ReadonlyMap<string, string>;

  /** `typed`: names that are from the command line; default: all. `variables`: of the others, where each value is from. */
  constructor(
    values: ReadonlyMap<string, unknown>,
    typed: ReadonlySet<string> = new Set(values.keys()),
    variables: ReadonlyMap<string, string> = new Map(),
  ) {
    this.#values = values;
    this.#typed = typed;
    this.#variables = variables;
  }

  /** The variable that holds this flag's value; undefined where it was typed, or is nowhere. */
  variable(name: string): string | undefined {
    return this.#variables.get(name);
  }

  typed(name: string): boolean {
    return this.#typed.has(name);
  }

  on(name: string): boolean {
    return this.#values.get(name) === true;
  }

  text(name: string): string | undefined {
    const value = this.#values.get(name);
    return typeof value === "string" ? value : undefined;
  }

  texts(name: string): readonly string[] {
    const value = this.#values.get(name);
    return Array.isArray(value) ? value.map(String) : [];
  }

  /** Seconds, or with a unit: `30`, `90s`, `5m`, `2h`. Milliseconds out. */
  duration(name: string): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const match = /^(\d{1,9})(s|m|h)?$/.exec(text);
    if (match?.[1] === undefined) {
      throw new SregistryError("USAGE", `--${name} ${JSON.stringify(text)} is no duration: expected 30, 30s, 5m or 2h`);
    }
    const unit = { s: 1_000, m: 60_000, h: 3_600_000 }[match[2] ?? "s"] ?? 1_000;
    return Number(match[1]) * unit;
  }
}

/** `words` against a verb that takes exactly the named ones. */
export function requireWord(words: readonly string[], index: number, what: string): string {
  const word = words[index];
  if (word === undefined || word === "") throw new SregistryError("USAGE", `${what} is missing`);
  return word;
}
