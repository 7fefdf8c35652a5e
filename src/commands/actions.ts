/** Verbs whose first words say what to do: `remote add`, `cache prune`. */
import { SregistryError } from "../errors.ts";
import { nearest } from "../nearest.ts";
import { type ActionSpec, type AnyVerb, type Flags, flagName } from "./verb.ts";

/** `words`: what was typed behind the verb. `kind`: what the verb's actions are. */
export function unknownAction(
  verb: string,
  words: string,
  actions: readonly ActionSpec[],
  kind = "action",
): SregistryError {
  const names = actions.map(({ name }) => name);
  const begun = names.filter((name) => name.startsWith(`${words} `));
  const near = nearest(words, names);
  const all = names.length === 0 ? `sregistry help ${verb}` : `sregistry ${verb} ${names.join("|")}`;
  const hint = near === undefined ? all : `did you mean sregistry ${verb} ${near}?`;
  const what = names.length === 0 ? "has no actions" : `has no ${kind} ${JSON.stringify(words)}`;
  return new SregistryError("USAGE", `sregistry ${verb} ${what}`, {
    hint: begun.length === 0 ? hint : `sregistry ${verb} ${begun.join("|")}`,
  });
}

/** @throws SregistryError USAGE for a flag that was typed and goes with other actions. */
export function requireOwnFlags(verb: string, spec: AnyVerb, words: readonly string[], flags: Flags): void {
  const action = actionOf(spec, words);
  if (action === undefined) return;
  for (const option of spec.options) {
    const { actions } = option;
    const flag = flagName(option);
    if (actions === undefined || actions.includes(action.name) || !flags.typed(flag)) continue;
    const those =
      actions.length === 0 ? `sregistry ${verb} alone` : actions.map((one) => `sregistry ${verb} ${one}`).join(" and ");
    throw new SregistryError("USAGE", `sregistry ${verb} ${action.name} takes no --${flag}: it goes with ${those}`, {
      hint: `sregistry help ${verb} ${action.name}`,
    });
  }
}

/** What the words begin with; undefined: none that is known. */
export function actionOf(verb: AnyVerb, words: readonly string[]): ActionSpec | undefined {
  return actionsOf(verb).find(({ name }) => `${words.join(" ")} `.startsWith(`${name} `));
}

export function actionsOf(verb: AnyVerb): readonly ActionSpec[] {
  return verb.arguments.flatMap(({ actions = [] }) => actions);
}
