/** What `sregistry` alone, `--help` and `help` show of the program, of a verb and of an action. */
import { actionsOf } from "../actions.ts";
import { GLOBAL_OPTIONS } from "../globals.ts";
import type { VerbEntry } from "../index.ts";
import type { ActionSpec, AnyVerb } from "../verb.ts";
import { flagRows } from "./flag-rows.ts";
import { type Row, Screen } from "./layout.ts";
import { TOPICS } from "./topics.ts";

export const INTRODUCTION = "One client for every place where Singularity and Apptainer images live.";

/** They go from an image on this machine to the same image back, with nothing set up. */
export const FIRST_STEPS: readonly Row[] = [
  { term: "sregistry push image.sif lab/tool:1.0", says: "into the registry of this machine" },
  { term: "sregistry list", says: "what is there" },
  { term: "sregistry pull lab/tool:1.0", says: "back to a file, verified" },
];

/** Those that are wanted every day; the others are a topic of their own. */
const DAILY = ["--registry", "--json", "--quiet", "--verbose", "--offline"];

const HELP: Row = { term: "-h, --help", says: "print help; on a verb: sregistry help VERB" };

export function rootScreen(verbs: readonly VerbEntry[], columns: number): string {
  const screen = new Screen(columns)
    .text(`${INTRODUCTION}\nUsage: sregistry VERB [words] [flags]`)
    .rows("First steps", FIRST_STEPS, { widest: 40 });
  for (const group of ["Images", "Registries"] as const) {
    screen.rows(group, verbs.filter((one) => one.group === group).map(verbRow));
  }
  const program = verbs.filter(({ group }) => group === "Program").map(({ name }) => name);
  const topics = TOPICS.map(({ name }) => name).join(", ");
  const daily = DAILY.flatMap((flag) => GLOBAL_OPTIONS.filter(({ flags }) => flags.includes(flag)));
  return screen
    .rows("Flags", [...flagRows(daily), HELP])
    .text(`More verbs: ${[...program, "help"].join(", ")}\nTopics for sregistry help: ${topics}`)
    .toString();
}

function verbRow({ name, summary }: VerbEntry): Row {
  return { term: name, says: summary };
}

export function verbScreen({ name, summary }: VerbEntry, verb: AnyVerb, columns: number): string {
  const words = verb.arguments.map((word) => word.name);
  const actions = actionsOf(verb);
  const screen = new Screen(columns)
    .text(["Usage: sregistry", name, ...words, ...(verb.options.length > 0 ? ["[flags]"] : [])].join(" "))
    .text(verb.about ?? sentence(summary));
  if (actions.length > 0) screen.rows("Actions", actions.map(actionRow));
  else
    screen.rows(
      "Arguments",
      verb.arguments.map(({ name: term, description }) => ({ term, says: description })),
    );
  return screen
    .rows("Flags", flagRows(verb.options))
    .examples("Examples", verb.examples.map(exampleRow))
    .text(
      `${actions.some(({ usage }) => usage !== undefined) ? `Help on an action: sregistry help ${name} ACTION\n` : ""}${further(verb)}`,
    )
    .toString();
}

export function actionScreen(entry: VerbEntry, verb: AnyVerb, action: ActionSpec, columns: number): string {
  const words = [entry.name, action.name].join(" ");
  const options = verb.options.flatMap((spec) => {
    const { actions, description } = spec;
    if (actions?.includes(action.name) === false) return [];
    // `add: plain http` says more than is needed where all is about `add`.
    const own = `${actions?.join(", ")}: `;
    return [{ ...spec, description: description.startsWith(own) ? description.slice(own.length) : description }];
  });
  const flags = flagRows(options);
  const examples = verb.examples.filter(({ command }) => `${command} `.includes(`sregistry ${words} `));
  const usage = [words, action.usage ?? "", flags.length > 0 ? "[flags]" : ""].filter((part) => part !== "").join(" ");
  return new Screen(columns)
    .text(`Usage: sregistry ${usage}`)
    .text(sentence(action.description))
    .rows("Flags", flags)
    .examples("Examples", examples.map(exampleRow))
    .text(`All actions: sregistry help ${entry.name}\n${further(verb)}`)
    .toString();
}

/** Where the rest is told. */
function further(verb: AnyVerb): string {
  const names = verb.arguments.some(({ name }) => /reference|pattern|image|source/.test(name));
  return `Flags that every verb takes: sregistry help flags${names ? "; names: sregistry help names" : ""}`;
}

function actionRow({ name, usage = "", description }: ActionSpec): Row {
  return { term: `${name} ${usage}`.trimEnd(), says: description };
}

function exampleRow({ command, says }: { readonly command: string; readonly says: string }): Row {
  return { term: command, says };
}

function sentence(words: string): string {
  return `${words[0]?.toUpperCase() ?? ""}${words.slice(1)}.`;
}
