/** What a user name, a password or a token may hold, wherever it comes from. */
import { SregistryError } from "../errors.ts";

const CONTROL = /[\u0000-\u001f\u007f]/;

/** True when `text` would add lines to a header or to a helper's input (git CVE-2020-5260, git-lfs CVE-2024-53263). */
export function hasControl(text: string): boolean {
  return CONTROL.test(text);
}

/** @throws SregistryError CONFIG_INVALID naming `where` (never the value) when there are control characters. */
export function clean(text: string, where: string): string {
  if (!hasControl(text)) return text;
  throw new SregistryError("CONFIG_INVALID", `${where} holds a line break or another control character`, {
    hint: "log in again: sregistry login HOST",
  });
}
