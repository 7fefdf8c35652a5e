/** What to type instead: hints that several places give. */
import { enriched, isCode } from "../errors.ts";
import { nearest } from "../nearest.ts";
import { actionOf, actionsOf } from "./actions.ts";
import type { AnyVerb, Flags } from "./verb.ts";

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
    hint: near === undefined ? `${where}${where.startsWith("-") ? " " : "="}${choices[0]}` : `did you mean ${near}?`,
  };
}

/** A value that a variable holds is told by the variable's name: nobody has typed the flag. */
export function toldByVariable(error: unknown, flags: Flags): unknown {
  if (!isCode(error, "USAGE", "CONFIG_INVALID")) return error;
  const flag = /^--[a-z-]+/.exec(error.message)?.[0] ?? "";
  const variable = flags.variable(flag.slice(2));
  if (variable === undefined) return error;
  const hint = error.hint?.replace(`${flag} `, () => `${variable}=`);
  return enriched(error, {
    message: error.message.replace(flag, () => variable),
    ...(hint === undefined ? {} : { hint }),
  });
}

/** For what was left out behind `words`: what to write, or an example to take as a pattern. */
export function wayOut(name: string, verb: AnyVerb, words: readonly string[]): string {
  const actions = actionsOf(verb);
  const only = actions.length === 1 ? actions[0] : undefined;
  const action = actionOf(verb, words) ?? only;
  if (action !== undefined) return `sregistry ${name} ${[action.name, action.usage ?? ""].join(" ").trim()}`;
  if (actions.length > 0) return `sregistry ${name} ${actions.map((one) => one.name).join("|")}`;
  const example = verb.examples[0]?.command;
  return example === undefined ? `sregistry help ${name}` : `for example ${example}`;
}
