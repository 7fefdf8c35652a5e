/**
 * What came from a server must not steer a terminal (kubectl CVE-2021-25743, git CVE-2024-52005). Control characters,
 * escape sequences and bidirectional overrides become visible escapes.
 */

const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const UNSAFE_IN_BLOCK = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

function visible(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** One line: every control character, newline and tab included, shows as `\uXXXX`. */
export function safeText(text: string): string {
  return text.replace(UNSAFE, visible);
}

/** Text of several lines (a runscript, a definition file): newlines and tabs stay. */
export function safeBlock(text: string): string {
  return text.replaceAll("\r\n", "\n").replace(UNSAFE_IN_BLOCK, visible);
}

/** Whoever reads the log takes commands out of it: GitHub Actions, Forgejo's and Gitea's, Azure Pipelines. */
export function takesCommands(env: Readonly<Record<string, string | undefined>>): boolean {
  return [env["GITHUB_ACTIONS"], env["TF_BUILD"]].some((value) => (value ?? "") !== "");
}

/**
 * For such a log: `::` begins a command at the start of a line, after any blanks, and `##[` or `##vso[` wherever it stands. The
 * escapes are those of JSON too, so that a document stays the same.
 */
export function withoutCommands(text: string): string {
  return text.replace(/^([^\S\n]*):(?=:)/gm, "$1\\u003a").replace(/##(?=(?:vso)?\[)/g, "#\\u0023");
}

/** JSON text in which the characters that JSON.stringify leaves alone (DEL, C1, bidi) are escapes too. */
export function safeJson(value: unknown, indent = 2): string {
  return JSON.stringify(value, null, indent).replace(/[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, visible);
}
