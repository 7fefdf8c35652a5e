/** A verb failed because something is not there: near names become the hint, if they are found soon. */
import type { Context } from "../context.ts";
import { isCode, type SregistryError } from "../errors.ts";

/** Milliseconds that somebody who has mistyped a name waits for a registry's word on it. */
const PATIENCE = 2_000;

/** The error to fail with: the same, whatever happens here. */
export async function betterHint<T>(error: T, context: Context): Promise<T | SregistryError> {
  if (!isCode(error, "NOT_FOUND") || error.missing === undefined || context.signal.aborted) return error;
  try {
    const { suggest } = await import("../client/suggest.ts");
    const { services, call, late } = await context.briefly(PATIENCE);
    call.clock.start();
    return await Promise.race([suggest(services, error, call), late]);
  } catch (failure) {
    const why = failure instanceof Error ? failure.message : String(failure);
    context.terminal.log.debug(`no near names: ${why}`);
    return error;
  }
}
