/** The tables of README.md: verbs, flags, exit statuses. */
import { between, table } from "./markdown.js";

/**
 * @typedef {import("./man.js").Verb} Verb
 * @typedef {import("./man.js").Status} Status
 * @typedef {import("../src/commands/verb.ts").OptionSpec} OptionSpec
 * @param {string} page
 * @param {{ verbs: readonly Verb[], globals: readonly OptionSpec[], exits: readonly Status[] }} definitions
 */
export function readmePage(page, { verbs, globals, exits }) {
  const parts = {
    verbs: table([["verb", "what it does"], ...verbs.map(({ name, summary }) => [`\`${name}\``, summary])]),
    flags: table([["flag", "what it says"], ...globals.filter(({ hidden }) => hidden !== true).map(flagRow)]),
    statuses: table([["exit", "meaning"], ...exits.map(({ status, meaning }) => [status, meaning])]),
  };
  return Object.entries(parts).reduce((text, [name, part]) => between(text, name, part), page);
}

/** @param {OptionSpec} option */
function flagRow({ flags, description, choices }) {
  const words = choices === undefined ? "" : ` (${choices.map((choice) => `\`${choice}\``).join(", ")})`;
  return [`\`${flags.replaceAll("|", "\\|")}\``, `${description}${words}`];
}
