/** A verb's parse and run, so that whatever goes wrong in them ends with a hint. */
import type { Context } from "../context.ts";
import { isCode, SregistryError } from "../errors.ts";
import { requireOwnFlags } from "./actions.ts";
import { toldByVariable, wayOut } from "./hints.ts";
import type { AnyVerb, Flags, Prepared } from "./verb.ts";

/** @throws SregistryError USAGE or REFERENCE_INVALID. */
export function prepare(name: string, verb: AnyVerb, words: readonly string[], flags: Flags): Prepared {
  try {
    requireOwnFlags(name, verb, words, flags);
    const { answer, run } = verb.prepare(words, flags);
    return { answer, run: (context) => hinting(run, flags, context) };
  } catch (error) {
    if (!isCode(error, "USAGE") || error.hint !== undefined) throw error;
    const missing = error.message.endsWith(" is missing");
    const hint = missing ? wayOut(name, verb, words) : `sregistry help ${name}`;
    throw new SregistryError("USAGE", error.message, { hint, cause: error });
  }
}

async function hinting(run: Prepared["run"], flags: Flags, context: Context): Promise<void> {
  try {
    await run(context);
  } catch (error) {
    const { betterHint } = await import("./better-hint.ts");
    throw await betterHint(toldByVariable(error, flags), context);
  }
}
