/** The fields of a verb's answers for its man page. */
import { bold, item, roff } from "./roff.js";

/**
 * @typedef {import("../src/commands/schemas/schema.ts").Answer} Answer
 * @typedef {import("../src/commands/schemas/schema.ts").Schema} Schema
 */

/** @param {readonly Answer[]} answers @returns {string[]} */
export function outputLines(answers) {
  if (answers.length === 0) return [];
  return [
    roff(
      "With --json the answer is one document with these fields, and schemaVersion, which is 1; its JSON Schema is in the " +
        "package, in the folder schemas. With --format they stand between double braces.",
    ),
    ...alike(answers).flatMap(({ commands, lines }) => [
      ...(answers.length > 1 ? [`.SS sregistry ${roff(commands.join(", "))}`] : [".PP"]),
      ...lines,
    ]),
  ];
}

/** Neighbours that answer the same are told once. @param {readonly Answer[]} answers */
function alike(answers) {
  /** @type {{ commands: string[], lines: string[] }[]} */
  const groups = [];
  for (const one of answers) {
    const lines = answerLines(one);
    const before = groups.at(-1);
    if (before?.lines.join("\n") === lines.join("\n")) before.commands.push(one.command);
    else groups.push({ commands: [one.command], lines });
  }
  return groups;
}

/** @param {Answer} answer */
function answerLines({ document, rows }) {
  const { schemaVersion: _, ...fields } = document.fields;
  if (rows === undefined) return [sentence(document.says), ...fieldItems(fields, "")];
  const { [rows]: list, ...others } = fields;
  if (list?.kind !== "list") throw new Error(`${rows} is no list`);
  const rest = fieldItems(others, "");
  return [
    sentence(document.says),
    `${roff("Its rows are in the list")} ${bold(rows)}${roff("; --format writes a line for each, and a row has:")}`,
    ...(list.of.kind === "object" ? fieldItems(list.of.fields, "") : [item(bold("{{.}}"), list.of.says)]),
    ...(rest.length === 0 ? [] : [".PP", roff("The document of --json has besides:"), ...rest]),
  ];
}

/** @param {Readonly<Record<string, Schema>>} fields @param {string} before @returns {string[]} */
function fieldItems(fields, before) {
  return Object.entries(fields).flatMap(([name, field]) => {
    const path = `${before}.${name}`;
    const inside = field.kind === "list" ? field.of : field;
    const below = field.kind === "list" ? `${path}[]` : path;
    return [
      item(bold(field.kind === "map" ? `${path}.KEY` : path), describe(field)),
      ...(inside.kind === "object" ? fieldItems(inside.fields, below) : []),
    ];
  });
}

/** @param {Schema} field */
function describe(field) {
  const all = (field.kind === "text" && field.values) || [];
  // The codes of failures fill five lines, and the program's own page has them.
  const values = all.length === 0 ? "" : all.length > 15 ? "; sregistry(1) has all" : `. One of: ${all.join(", ")}`;
  const kind = { flag: "true or false: ", list: "list: ", text: "", integer: "", map: "", object: "" }[field.kind];
  const absent = field.optional === true && !field.says.includes("absent") ? "; may be absent" : "";
  return `${kind}${field.says}${absent}${values}`;
}

/** @param {string} says */
const sentence = (says) => `${roff(`${says[0]?.toUpperCase()}${says.slice(1)}.`)}`;
