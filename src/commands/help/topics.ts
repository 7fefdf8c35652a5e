/** What concerns every verb, told once each: `sregistry help TOPIC`. */

import { EXIT_MEANINGS } from "../../exit-status.ts";
import { GLOBAL_OPTIONS } from "../globals.ts";
import { flagName } from "../verb.ts";
import { ALIASES, VARIABLES } from "./environment.ts";
import { flagRows } from "./flag-rows.ts";
import { Screen } from "./layout.ts";

export interface Topic {
  readonly name: string;
  readonly summary: string;
  screen(columns: number): string;
}

export const TOPICS: readonly Topic[] = [
  { name: "flags", summary: "the flags that every verb takes", screen: flagsScreen },
  { name: "names", summary: "how images are named, and what the default registry is", screen: namesScreen },
  { name: "environment", summary: "variables, and the flags that they stand for", screen: environmentScreen },
  { name: "formatting", summary: "answers for scripts: --json and --format", screen: formattingScreen },
  { name: "exit", summary: "the exit statuses", screen: exitScreen },
];

/** Which flags are about the same; those that are in none of them come last. */
const FLAG_GROUPS: Readonly<Record<string, readonly string[]>> = {
  "What is asked": ["registry", "library", "protocol", "store", "config"],
  "What is printed": ["quiet", "verbose", "debug", "json", "format", "progress", "no-color", "no-input"],
  Connections: ["offline", "timeout", "parallel", "plain-http", "insecure-tls", "ca-file", "authfile", "trust-realm"],
};

function flagsScreen(columns: number): string {
  const screen = new Screen(columns).text("Every verb takes these, before or behind its name.");
  const named = new Map(GLOBAL_OPTIONS.map((spec) => [flagName(spec), spec]));
  for (const [heading, names] of Object.entries(FLAG_GROUPS)) {
    screen.rows(heading, flagRows(names.flatMap((name) => named.get(name) ?? [])));
    for (const name of names) named.delete(name);
  }
  return screen
    .rows("Others", [
      ...flagRows([...named.values()]),
      { term: "-h, --help", says: "print help" },
      { term: "--version", says: "print the version" },
    ])
    .text("Each has a variable, SREGISTRY_CA_FILE for --ca-file: sregistry help environment")
    .toString();
}

function namesScreen(columns: number): string {
  return new Screen(columns)
    .lines("An image is named", ["[scheme://][host[:port]/]path[:tag][@digest]"])
    .rows(
      "Such as",
      [
        { term: "lab/tool:1.0", says: "at the default registry" },
        { term: "lab/tool", says: "the same with the tag latest" },
        { term: "lab/tool@sha256:4f1e...", says: "one image and no other, whatever its tags do" },
        { term: "local://lab/tool:1.0", says: "in the embedded registry, on this machine" },
        { term: "oras://ghcr.io/lab/tool:1.0", says: "a SIF at an OCI registry" },
        { term: "docker://ghcr.io/lab/tool:1.0", says: "the same; without a host it is Docker Hub's" },
        { term: "library://lab/tools/blast:1.0", says: "at the library that is the active remote" },
        { term: "library://HOST/lab/tools/blast", says: "at another library" },
        { term: "shub://HOST/collection/tool", says: "at a server of Singularity Hub's protocol" },
      ],
      { widest: 32 },
    )
    .rows(
      "The default registry is the first of these that is set",
      [
        { term: "--library URL", says: "a library, for this run" },
        { term: "--registry NAME", says: "a remote's name, local, oras://HOST[/PATH] or a URL; or SREGISTRY_REGISTRY" },
        { term: "SREGISTRY_LIBRARY", says: "or APPTAINER_LIBRARY, SINGULARITY_LIBRARY" },
        { term: "SREGISTRY_REGISTRY_BASE", says: "the old client's" },
        { term: "sregistry remote use NAME", says: "kept in config.yaml" },
        { term: "remote.yaml", says: "its active remote, if it was chosen or logged in to" },
        { term: "~/.sregistry", says: "the old client's settings" },
        { term: "local", says: "the embedded registry, where nothing is set" },
      ],
      { below: "Which it is, and why: sregistry list --verbose" },
    )
    .rows("list and labels take a part of a name", [
      { term: "dinosaur", says: "a collection" },
      { term: "/avocado", says: "one name in every collection" },
      { term: "dinosaur/avocado", says: "all tags of one container" },
      { term: "oras://ghcr.io/lab", says: "what is below a path of another registry" },
    ])
    .toString();
}

function environmentScreen(columns: number): string {
  return new Screen(columns)
    .text(
      "A flag has a variable: --registry is SREGISTRY_REGISTRY, --ca-file SREGISTRY_CA_FILE; man sregistry-VERB names a verb's. " +
        "A switch is 1 or 0, several values have commas between them. A flag goes before its variable, SREGISTRY_* before " +
        "APPTAINER_* and SINGULARITY_*, and all of them before config.yaml.",
    )
    .rows("Singularity's names for flags", ALIASES, { widest: 30 })
    .rows("Others", VARIABLES, { widest: 30 })
    .toString();
}

function formattingScreen(columns: number): string {
  return new Screen(columns)
    .text(
      "On a terminal an answer is for people; in a pipe it is a line for each row, with tabs and without a header. --json makes " +
        "it one JSON document, --format lines of a form of your own: text, with fields of that document in it.",
    )
    .rows("In a template", [
      { term: "{{.name}}", says: "a field of the answer, or of each of its rows" },
      { term: "{{.labels.maintainer}}", says: "a field of a field" },
      { term: "{{.}}", says: "the whole" },
      { term: "{{json .}}, {{json .tags}}", says: "as JSON on one line" },
      { term: "\\t, \\n", says: "a tab, a line feed" },
    ])
    .examples("Examples", [
      { term: "sregistry list --format '{{.name}}\\t{{.size}}'", says: "names and sizes" },
      { term: "sregistry inspect lab/tool --format '{{.digest}}'", says: "the digest alone" },
      { term: "sregistry version --format '{{json .}}'", says: "all fields that there are" },
    ])
    .text("A field that does not exist is an error; man sregistry-VERB lists them. Errors: sregistry help exit")
    .toString();
}

function exitScreen(columns: number): string {
  return new Screen(columns)
    .rows(
      "Exit statuses",
      EXIT_MEANINGS.map(([status, says]) => ({ term: String(status), says })),
    )
    .text('With --json a failure is one JSON document on stderr: {"error":{"code","exit","message","hint"}}')
    .text(
      "A batch job that ends with 75 is started again where slurm.conf says RequeueExit=75: sregistry pull ... || exit $?",
    )
    .toString();
}
