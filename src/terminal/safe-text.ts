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

/**
 * Text of several lines (a runscript, a definition file): newlines and tabs stay. A line that starts with `::` would
 * be taken as a command by GitHub Actions and is indented by one space.
 */
export function safeBlock(text: string): string {
  return text.replaceAll("\r\n", "\n").replace(UNSAFE_IN_BLOCK, visible).replace(/^::/gm, " ::");
}

/** JSON text in which the characters that JSON.stringify leaves alone (DEL, C1, bidi) are escapes too. */
export function safeJson(value: unknown, indent = 2): string {
  return JSON.stringify(value, null, indent).replace(/[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, visible);
}
