/**
 * WWW-Authenticate (RFC 9110, section 11.6.1): several challenges in one value, each with parameters or a token68. A linear
 * scanner over a stranger's text; what cannot be read ends the list.
 */

export interface Challenge {
  /** Lower case: basic, bearer, negotiate, ... */
  readonly scheme: string;
  /** Lower-case names; the first of a name counts. */
  readonly parameters: ReadonlyMap<string, string>;
}

const MAX_LENGTH = 16 * 1024;
const SEPARATOR = /[\s,]*/y;
const PARAMETER = /([!#$%&'*+.^_`|~\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([!#$%&'*+.^_`|~\w/:-]+))(?=\s*(?:,|$))/y;
const SCHEME = /([!#$%&'*+.^_`|~\w-]+)(?=[\s,]|$)/y;
const TOKEN68 = /[\w.~+/-]+=*(?=\s*(?:,|$))/y;

export function parseChallenges(value: string): readonly Challenge[] {
  if (value.length > MAX_LENGTH) return [];
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  let at = skip(SEPARATOR, value, 0);
  while (at < value.length) {
    const current = challenges.at(-1);
    const parameter = current === undefined ? undefined : match(PARAMETER, value, at);
    if (parameter !== undefined) {
      const name = (parameter[1] ?? "").toLowerCase();
      const text = parameter[2]?.replaceAll(/\\(.)/g, "$1") ?? parameter[3] ?? "";
      if (current?.parameters.has(name) === false) current.parameters.set(name, text);
      at = skip(SEPARATOR, value, at + parameter[0].length);
      continue;
    }
    const scheme = match(SCHEME, value, at);
    if (scheme === undefined) break;
    challenges.push({ scheme: scheme[0].toLowerCase(), parameters: new Map() });
    at = afterToken68(value, skip(/ */y, value, at + scheme[0].length));
  }
  return challenges;
}

/** Negotiate and its like carry one opaque word; it is passed over unless it begins a parameter or the next scheme. */
function afterToken68(value: string, at: number): number {
  if (match(PARAMETER, value, at) !== undefined) return at;
  const token = match(TOKEN68, value, at);
  return skip(SEPARATOR, value, at + (token?.[0].length ?? 0));
}

function match(pattern: RegExp, value: string, at: number): RegExpExecArray | undefined {
  pattern.lastIndex = at;
  return pattern.exec(value) ?? undefined;
}

function skip(pattern: RegExp, value: string, at: number): number {
  return at + (match(pattern, value, at)?.[0].length ?? 0);
}
