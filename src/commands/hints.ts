/** What to type instead: hints that several places give. */
import { nearest } from "../nearest.ts";
import { actionsOf } from "./actions.ts";
import type { AnyVerb } from "./verb.ts";

export interface Told {
  readonly message: string;
  readonly hint: string;
}

/** `where`: the flag or the variable. */
export function wrongChoice(where: string, value: string, choices: readonly string[]): Told {
  const near = nearest(value, choices);
  const all = `${choices.slice(0, -1).join(", ")} or ${choices.at(-1)}`;
  return {
    message: `${where} is ${JSON.stringify(value)}: expected ${all}`,
    hint: near === undefined ? `${where} ${choices[0]}` : `did you mean ${near}?`,
  };
}

/** For what was left out: the actions, or an example to take as a pattern. */
export function wayOut(name: string, verb: AnyVerb): string {
  const actions = actionsOf(verb);
  if (actions.length > 0) return `sregistry ${name} ${actions.map((action) => action.name).join("|")}`;
  const example = verb.examples[0]?.command;
  return example === undefined ? `sregistry help ${name}` : `for example ${example}`;
}
