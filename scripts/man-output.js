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
    ...answers.flatMap((one) => [
      ...(answers.length > 1 ? [`.SS sregistry ${roff(one.command)}`] : [".PP"]),
      ...answerLines(one),
    ]),
  ];
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
  const values = field.kind === "text" && field.values !== undefined ? `: ${field.values.join(", ")}` : "";
  const kind = { flag: "true or false: ", list: "list: ", text: "", integer: "", map: "", object: "" }[field.kind];
  const absent = field.optional === true && !field.says.includes("absent") ? "; may be absent" : "";
  return `${kind}${field.says}${values}${absent}`;
}

/** @param {string} says */
const sentence = (says) => `${roff(`${says[0]?.toUpperCase()}${says.slice(1)}.`)}`;
