/** The man pages: one for the program, one for each verb, out of the same definitions as help and completions. */
import { outputLines } from "./man-output.js";
import { bold, item, literal, roff, section, spelled } from "./roff.js";

/**
 * @typedef {import("../src/commands/verb.ts").OptionSpec} OptionSpec
 * @typedef {import("../src/commands/completion/model.ts").LoadedVerb} LoadedVerb
 * @typedef {LoadedVerb & { group: string }} Verb
 * @typedef {{ status: number, meaning: string, codes: readonly string[] }} Status
 * @typedef {{ version: string, date: string, verbs: readonly Verb[], globals: readonly OptionSpec[], exits: readonly Status[], variablesOf: (spec: OptionSpec) => readonly string[], variables: readonly { term: string, says: string }[] }} Program
 */

/** @param {Program} program @returns {Map<string, string>} file name -> text */
export function manPages(program) {
  const pages = new Map([["sregistry.1", programPage(program)]]);
  for (const verb of program.verbs) pages.set(`sregistry-${verb.name}.1`, verbPage(program, verb));
  return pages;
}

/** @param {string} name @param {Program} program */
const heading = (name, { version, date }) => [
  '.\\" Made by npm run docs from the definitions of the verbs.',
  `.TH ${roff(name.toUpperCase())} 1 "${date}" "sregistry ${version}" "User Commands"`,
  // What is copied out of a page has no hyphens and blanks of its own.
  ".nh",
  ".ad l",
];

/** @param {Program} program */
function programPage(program) {
  const groups = [...new Set(program.verbs.map(({ group }) => group))];
  return page([
    ...heading("sregistry", program),
    ...section("NAME", ["sregistry \\- one client for every place where Singularity and Apptainer images live"]),
    ...section("SYNOPSIS", [
      ".B sregistry",
      `${spelled("<verb>")} [${spelled("<options>")}] [${spelled("<arguments>")}]`,
      ".br",
      `${bold("sregistry help")} [${spelled("<verb>")} | ${spelled("<topic>")}]`,
    ]),
    ...section("DESCRIPTION", [
      roff(
        "sregistry pushes, pulls, lists, searches, inspects, labels, tags, copies and deletes images at libraries " +
          "(library://), shub:// servers and OCI registries (oras://, docker://), and in an embedded registry (local://). " +
          "Downloads are verified and go on where they were interrupted.",
      ),
      ".PP",
      "An image is named",
      roff("[scheme://][host[:port]/]path[:tag][@digest]."),
      roff(
        "A name without scheme belongs to the default registry: --registry, SREGISTRY_REGISTRY, what sregistry remote " +
          "use has set, the active remote of remote.yaml, or else the embedded registry; sregistry help names has the " +
          "whole order. Without a tag it is latest.",
      ),
    ]),
    ...section(
      "VERBS",
      groups.flatMap((group) => [`.SS ${group}`, ...verbItems(program, group)]),
    ),
    ...section("OPTIONS", [
      roff("Every verb understands these, before or behind its name."),
      ...optionItems(program.globals),
    ]),
    ...section("ENVIRONMENT", [
      roff(
        "A flag goes before SREGISTRY_*, that before APPTAINER_* and SINGULARITY_*, and all before configuration files.",
      ),
      ...environmentItems(program.globals, program),
      ...program.variables.map(({ term, says }) => item(term.split(", ").map(bold).join(", "), sentence(says))),
    ]),
    ...section("FILES", [
      item(roff("~/.config/sregistry/config.yaml"), "The user's configuration (XDG_CONFIG_HOME)."),
      item(roff("/etc/sregistry/config.yaml"), "The site's configuration."),
      item(
        roff("~/.singularity/remote.yaml"),
        "Remotes and their tokens, shared with Singularity; Apptainer's is ~/.apptainer/remote.yaml.",
      ),
      item(roff("~/.singularity/docker-config.json"), "Logins at OCI registries, shared with Singularity."),
      item(roff("~/.local/share/sregistry/registry"), "The embedded registry (XDG_DATA_HOME)."),
      item(roff("~/.cache/sregistry"), "The image cache, and what may be forgotten (XDG_CACHE_HOME)."),
    ]),
    ...exitSection(program),
    ...section(
      "EXAMPLES",
      literal([
        "sregistry push image.sif lab/tool:1.0",
        "sregistry list",
        "sregistry pull lab/tool:1.0",
        "sregistry pull -o tool.sif oras://ghcr.io/org/tool:1.0",
        'image=$(sregistry get lab/tool:1.0) && singularity exec "$image" tool',
      ]),
    ),
    ...seeAlso(program.verbs.map(({ name }) => `sregistry-${name}`)),
  ]);
}

/** @param {Program} program @param {Verb} entry */
function verbPage(program, { name, summary, verb }) {
  const { about = sentence(summary), arguments: words, options, examples } = verb;
  const shown = options.filter(({ hidden }) => hidden !== true);
  const actions = words.flatMap(({ actions: known = [] }) => known);
  return page([
    ...heading(`sregistry-${name}`, program),
    ...section("NAME", [`${roff(`sregistry-${name}`)} \\- ${roff(summary)}`]),
    ...section("SYNOPSIS", [
      [bold(`sregistry ${name}`), `[${spelled("<options>")}]`, ...words.map((word) => spelled(word.name))].join(" "),
    ]),
    ...section("DESCRIPTION", [roff(about), ...words.map((word) => item(spelled(word.name), word.description))]),
    ...section(
      "ACTIONS",
      actions.map((action) => item(`${bold(action.name)} ${roff(action.usage ?? "")}`.trimEnd(), action.description)),
    ),
    ...section("OPTIONS", [
      ...optionItems(shown),
      `${shown.length > 0 ? ".PP\n" : ""}Flags that every verb understands are in`,
      `.BR sregistry (1).`,
    ]),
    ...section("OUTPUT", outputLines(verb.answers)),
    ...section("ENVIRONMENT", environmentItems(shown, program)),
    ...section("EXIT STATUS", ["0 when it is done; the others are in", ".BR sregistry (1)."]),
    ...section(
      "EXAMPLES",
      examples.map(({ command, says }) => item(bold(command), sentence(says))),
    ),
    ...seeAlso(["sregistry"]),
  ]);
}

/** @param {Program} program @param {string} group */
function verbItems({ verbs }, group) {
  return verbs.filter((one) => one.group === group).map(({ name, summary }) => item(bold(name), summary));
}

/** @param {readonly OptionSpec[]} options */
function optionItems(options) {
  return options
    .filter(({ hidden }) => hidden !== true)
    .map(({ flags, description, choices }) => {
      const words = choices === undefined ? "" : ` (${choices.join(", ")})`;
      return item(spelled(flags), `${description}${words}`);
    });
}

/** @param {readonly OptionSpec[]} options @param {Program} program */
function environmentItems(options, { variablesOf }) {
  return options
    .filter(({ hidden }) => hidden !== true)
    .flatMap((spec) => {
      const flag = /--[a-z-]+/.exec(spec.flags)?.[0] ?? spec.flags;
      const variables = variablesOf(spec);
      return variables.length === 0 ? [] : [item(variables.map(bold).join(", "), `The same as ${flag}.`)];
    });
}

/** @param {Program} program */
function exitSection({ exits }) {
  return section(
    "EXIT STATUS",
    exits.map(({ status, meaning, codes }) =>
      item(bold(String(status)), sentence(codes.length === 0 ? meaning : `${meaning} (${codes.join(", ")})`)),
    ),
  );
}

/** @param {string} text */
const sentence = (text) => `${text[0]?.toUpperCase()}${text.slice(1)}.`;

/** @param {readonly string[]} names */
function seeAlso(names) {
  return section(
    "SEE ALSO",
    names.map((name, at) => `.BR ${roff(name)} (1)${at === names.length - 1 ? "" : ","}`),
  );
}

/** @param {readonly string[]} lines */
const page = (lines) => `${lines.join("\n")}\n`;
