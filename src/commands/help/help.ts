/** Words behind `help`, or before `--help` -> the text of a screen. */
import { SregistryError } from "../../errors.ts";
import { nearest } from "../../nearest.ts";
import { actionOf, actionsOf, unknownAction } from "../actions.ts";
import type { VerbEntry } from "../index.ts";
import { insteadOf } from "../old-verbs.ts";
import { actionScreen, rootScreen, verbScreen } from "./screens.ts";
import { TOPICS } from "./topics.ts";

export interface HelpInput {
  /** A verb or a topic, and behind a verb an action; none: the program. */
  readonly words: readonly string[];
  /** `--help` stands among a verb's own words: those that are no action are passed over. */
  readonly lenient: boolean;
}

/** @throws SregistryError USAGE where there is no such help. */
export async function helpText(
  { words, lenient }: HelpInput,
  verbs: readonly VerbEntry[],
  columns: number,
): Promise<string> {
  const [name, ...more] = words;
  if (name === undefined || name === "help") return rootScreen(verbs, columns);
  const entry = verbs.find((one) => one.name === name);
  const topic = entry === undefined ? TOPICS.find((one) => one.name === name) : undefined;
  if (topic !== undefined) return topic.screen(columns);
  if (entry === undefined) throw unknownHelp(name, verbs);
  const verb = await entry.load();
  const actions = actionsOf(verb);
  const action = actionOf(verb, more);
  if (action !== undefined) return actionScreen(entry, verb, action, columns);
  // `serve user` is the beginning of several.
  const begins = actions.some(({ name: known }) => `${known} `.startsWith(`${more.join(" ")} `));
  if (!lenient && more.length > 0 && !begins) throw unknownAction(name, more.join(" "), actions);
  return verbScreen(entry, verb, columns);
}

function unknownHelp(name: string, verbs: readonly VerbEntry[]): SregistryError {
  const known = [...verbs, ...TOPICS].map((one) => one.name);
  const near = nearest(name, known);
  const otherwise = near === undefined ? "sregistry help" : `did you mean sregistry help ${near}?`;
  return new SregistryError("USAGE", `there is no help on ${JSON.stringify(name)}: it is no verb and no topic`, {
    hint: insteadOf(name) ?? otherwise,
  });
}
