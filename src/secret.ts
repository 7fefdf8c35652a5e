/**
 * Secrets that cannot be printed by accident. A Secret shows as `***` wherever it is formatted, and its value is
 * remembered so that `redact` can take it out of any text by value, whoever composed that text.
 */

const known = new Set<string>();

/** Values shorter than this are not redacted by value: they would eat ordinary words. They still print as `***`. */
const SHORTEST_REDACTED = 4;

export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
    remember(value);
  }

  /** The value itself, for the one place that sends or stores it. */
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return "***";
  }

  toJSON(): string {
    return "***";
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return "***";
  }
}

/** Registers a derived form of a secret (its base64, its URL encoding) so that it is redacted too. */
export function remember(value: string): void {
  if (value.length >= SHORTEST_REDACTED) known.add(value);
}

const SECRET_PARAMETERS =
  /([?&;](?:x-amz-signature|x-amz-credential|x-amz-security-token|x-goog-signature|signature|sig|token|access_token|refresh_token|password|secret|_state)=)[^&\s"']*/gi;
const SECRET_HEADERS = /((?:proxy-)?authorization"?\s*[:=]\s*"?(?:basic|bearer|[\w-]+)\s+)[^\s",]+/gi;
const URL_USERINFO = /(\b[a-z][a-z0-9+.-]*:\/\/)[^\s/@]+@/gi;

/** `text` with every known secret value, and everything that is a secret by its name, replaced by `***`. */
export function redact(text: string): string {
  let clean = text;
  for (const value of [...known].sort((a, b) => b.length - a.length)) {
    if (clean.includes(value)) clean = clean.replaceAll(value, "***");
  }
  return clean.replace(SECRET_PARAMETERS, "$1***").replace(SECRET_HEADERS, "$1***").replace(URL_USERINFO, "$1***@");
}
