/** What the verbs' definitions say that a shell needs: flags, their values, and what stands where. */
import { LIST_COLUMNS } from "../../client/list-columns.ts";
import { actionsOf } from "../actions.ts";
import { GLOBAL_OPTIONS } from "../globals.ts";
import { TOPICS } from "../help/topics.ts";
import type { ActionSpec, AnyVerb, ArgumentSpec, OptionSpec, WordKind } from "../verb.ts";

export interface Choice {
  readonly word: string;
  /** Empty where the word says it all. */
  readonly says: string;
}

/** One of some words, or words of a kind. */
export type Offer = { readonly choices: readonly Choice[] } | { readonly kind: WordKind };

export interface FlagModel {
  /** `-o`, `--output`. */
  readonly names: readonly string[];
  readonly description: string;
  readonly hidden: boolean;
  readonly repeatable: boolean;
  /** It takes a value. */
  readonly valued: boolean;
  /** What the value may be; undefined: nobody knows. */
  readonly offer: Offer | undefined;
}

export interface VerbModel {
  readonly name: string;
  readonly summary: string;
  readonly flags: readonly FlagModel[];
  /** What its first words may be, where they are an action. */
  readonly actions: readonly ActionSpec[];
  /** The kinds of its arguments in order, where it has no actions. */
  readonly takes: readonly (WordKind | undefined)[];
  /** The last of `takes` may be repeated. */
  readonly repeats: boolean;
}

export interface ProgramModel {
  readonly globals: readonly FlagModel[];
  readonly verbs: readonly VerbModel[];
}

export interface LoadedVerb {
  readonly name: string;
  readonly summary: string;
  readonly verb: AnyVerb;
}

/** What a placeholder means wherever it stands. */
const PLACEHOLDERS: Readonly<Record<string, Offer>> = {
  file: { kind: "file" },
  list: { kind: "file" },
  dir: { kind: "directory" },
  directory: { kind: "directory" },
  image: { kind: "image" },
  reference: { kind: "reference" },
  source: { kind: "reference" },
  destination: { kind: "reference" },
  pattern: { kind: "pattern" },
  tag: { kind: "tag" },
  new: { kind: "tag" },
  architecture: { choices: plain(["amd64", "arm64", "arm", "386", "ppc64le", "riscv64", "s390x"]) },
  names: { choices: plain(LIST_COLUMNS) },
  column: { choices: plain(LIST_COLUMNS) },
};

const HELP: FlagModel = {
  names: ["-h", "--help"],
  description: "print help",
  hidden: false,
  repeatable: false,
  valued: false,
  offer: undefined,
};

export function programModel(verbs: readonly LoadedVerb[]): ProgramModel {
  const version = { ...HELP, names: ["--version"], description: "print the version" };
  const help: VerbModel = {
    name: "help",
    summary: "print the help of a verb, or on a topic",
    flags: [],
    actions: [
      ...[...verbs, ...TOPICS].map(({ name, summary }) => ({ name, description: summary })),
      ...verbs.flatMap(helpActions),
    ],
    takes: [],
    repeats: false,
  };
  return { globals: [...GLOBAL_OPTIONS.map(flagModel), HELP, version], verbs: [...verbs.map(verbModel), help] };
}

/** `help remote add` */
function helpActions({ name, verb }: LoadedVerb): readonly ActionSpec[] {
  return actionsOf(verb).map((action) => ({ name: `${name} ${action.name}`, description: action.description }));
}

/** `<file>`, `[reference...]` -> the word alone. */
export function placeholder(notation: string): string {
  return notation.replace(/[<>[\].]/g, "");
}

function verbModel({ name, summary, verb }: LoadedVerb): VerbModel {
  const actions = verb.arguments[0]?.actions ?? [];
  return {
    name,
    summary,
    flags: verb.options.map(flagModel),
    actions,
    takes: actions.length > 0 ? [] : verb.arguments.map(argumentKind),
    repeats: verb.arguments.at(-1)?.name.includes("...") === true,
  };
}

function argumentKind({ name, completes }: ArgumentSpec): WordKind | undefined {
  const known = PLACEHOLDERS[placeholder(name)];
  return completes ?? (known !== undefined && "kind" in known ? known.kind : undefined);
}

function flagModel(spec: OptionSpec): FlagModel {
  const value = /[<[].*$/.exec(spec.flags)?.[0];
  return {
    names: spec.flags.match(/(?<![\w-])--?[a-zA-Z][\w-]*/g) ?? [],
    description: spec.description,
    hidden: spec.hidden === true,
    repeatable: spec.repeatable === true,
    valued: value !== undefined,
    offer: value === undefined ? undefined : valueOffer(spec, placeholder(value)),
  };
}

function valueOffer({ choices, completes }: OptionSpec, value: string): Offer | undefined {
  if (choices !== undefined) return { choices: plain(choices) };
  return completes === undefined ? PLACEHOLDERS[value] : { kind: completes };
}

function plain(words: readonly string[]): readonly Choice[] {
  return words.map((word) => ({ word, says: "" }));
}

/** What the words typed behind a verb with actions may go on with: the words before, and what comes then. */
export interface ActionStep {
  readonly before: readonly string[];
  readonly next: readonly Choice[];
  readonly kind: WordKind | undefined;
}

export function actionSteps({ actions }: VerbModel): readonly ActionStep[] {
  const steps = new Map<string, ActionStep>();
  const step = (before: readonly string[]): ActionStep =>
    steps.get(before.join(" ")) ?? { before, next: [], kind: undefined };
  const keep = (one: ActionStep): void => void steps.set(one.before.join(" "), one);
  for (const { name, description, takes = [] } of actions) {
    const words = name.split(" ");
    for (const [at, word] of words.entries()) {
      const known = step(words.slice(0, at));
      if (known.next.some((other) => other.word === word)) continue;
      const says = at === words.length - 1 ? description : groupSays(actions, words.slice(0, at + 1).join(" "));
      keep({ ...known, next: [...known.next, { word, says }] });
    }
    // Behind its own words an action takes as many as it names; no verb has one that takes two known ones.
    const [kind] = takes;
    if (kind !== undefined) keep({ ...step(words), kind });
  }
  return [...steps.values()];
}

/** `user` stands for `user add`, `user list`. */
function groupSays(actions: readonly ActionSpec[], group: string): string {
  const inside = actions.filter(({ name }) => name.startsWith(`${group} `));
  return inside.map(({ name }) => name.slice(group.length + 1)).join(", ");
}
