/** Text as man(7) wants it. */

/** @param {string} text */
export function roff(text) {
  const escaped = text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll("~", "\\(ti")
    .replaceAll("^", "\\(ha")
    .replaceAll("`", "\\(ga")
    .replaceAll("'", "\\(aq");
  return escaped.replace(/^\./gm, "\\&.");
}

/** @param {string} text */
export const bold = (text) => `\\fB${roff(text)}\\fR`;

/** @param {string} text */
export const italic = (text) => `\\fI${roff(text)}\\fR`;

/** A term and what it is. @param {string} term already formatted @param {string} says plain */
export const item = (term, says) => `.TP\n${term}\n${roff(says)}`;

/** @param {string} title @param {readonly string[]} lines */
export const section = (title, lines) => (lines.length === 0 ? [] : [`.SH ${title}`, ...lines]);

/** Lines to type. @param {readonly string[]} lines */
export const literal = (lines) => [".nf", ...lines.map(roff), ".fi"];

/**
 * `-o, --output <file>` -> -o, --output FILE with the placeholder in italics; `<file>`, `[name...]` likewise.
 * @param {string} notation
 */
export function spelled(notation) {
  return notation
    .split(/(<[^>]+>|\[[^\]]+\]|, | )/)
    .filter((part) => part !== "")
    .map((part) => {
      if (/^[<[]/.test(part)) return placeholder(part);
      return part.startsWith("-") ? bold(part) : roff(part);
    })
    .join("");
}

/** @param {string} part */
function placeholder(part) {
  const name = italic(part.replace(/[<>[\].]/g, "").toUpperCase());
  const many = part.includes("...") ? "\\&..." : "";
  return part.startsWith("[") ? `[${name}${many}]` : `${name}${many}`;
}
