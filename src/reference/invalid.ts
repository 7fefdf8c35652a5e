/** Words for references that do not parse: what is wrong, and what to write instead. */
import { SregistryError } from "../errors.ts";

/** At most this much of the user's text is repeated in a message. */
const LONGEST_QUOTE = 80;

export function quote(text: string): string {
  return JSON.stringify(text.length > LONGEST_QUOTE ? `${text.slice(0, LONGEST_QUOTE)}...` : text);
}

export function invalid(message: string, hint: string): SregistryError {
  return new SregistryError("REFERENCE_INVALID", message, { hint });
}
