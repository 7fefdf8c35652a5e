/** Every screen of help, as somebody with a terminal of 80 columns sees it. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { actionsOf } from "../../src/commands/actions.ts";
import { GLOBAL_OPTIONS } from "../../src/commands/globals.ts";
import { helpText } from "../../src/commands/help/help.ts";
import { FIRST_STEPS } from "../../src/commands/help/screens.ts";
import { TOPICS } from "../../src/commands/help/topics.ts";
import { VERBS } from "../../src/commands/index.ts";
import { variablesOf } from "../../src/commands/verb.ts";
import { parseProgram } from "../../src/program.ts";

const ROOT = `One client for every place where Singularity and Apptainer images live.
Usage: sregistry VERB [words] [flags]

First steps:
  sregistry push image.sif lab/tool:1.0  into the registry of this machine
  sregistry list                         what is there
  sregistry pull lab/tool:1.0            back to a file, verified

Images:
  pull     fetch images to files: verified, resumable
  push     send an image and set its tags
  list     list containers, with their metadata if asked
  search   find images by a part of their name or description
  inspect  show what an image says of itself, remote or in a file
  get      print the path of an image, fetching it only if needed
  copy     copy images between any two endpoints, nothing kept on the way
  tag      give an image more tags without sending it again
  labels   show and find labels across images
  delete   remove a tag or an image
  bcast    put an image on the local disk of every node of a Slurm job
  cache    the image cache: path, list, verify, prune, clean

Registries:
  login       check and keep the credentials of a remote or a host
  logout      forget the credentials of a remote or a host
  remote      name registries, and choose the default one
  serve       run the embedded registry over HTTP
  collection  create a collection

Flags:
  --registry <name>  default registry: a remote, local, oras://HOST or a URL
  --json             answer as one JSON document, errors too
  -q, --quiet        only the answer, warnings and errors
  -v, --verbose      say what is asked of whom, and which file a login came from
  --offline          never open a connection
  -h, --help         print help; on a verb: sregistry help VERB

More verbs: completion, version, help
Topics for sregistry help: flags, names, environment, formatting, exit
`;

const loaded = await Promise.all(VERBS.map(async (entry) => ({ ...entry, verb: await entry.load() })));

const actions = loaded.flatMap(({ name, verb }) => actionsOf(verb).map((action) => [name, ...action.name.split(" ")]));

const help = (words: readonly string[], columns = 80, lenient = false) => helpText({ words, lenient }, VERBS, columns);

const program = (argv: readonly string[]) => parseProgram({ argv, env: {}, version: "1.2.3" });

describe("sregistry alone", () => {
  it("fits a screen", async () => expect(await help([])).toBe(ROOT));

  it("is not longer than 40 lines", () => expect(ROOT.trimEnd().split("\n").length).toBeLessThanOrEqual(40));

  it("wraps none of its lines", () => {
    const lines = ROOT.split("\n");
    expect(lines.filter((line) => /^ {3}/.test(line))).toEqual([]);
  });
});

describe("a screen", () => {
  const screens = [[], ...TOPICS.map(({ name }) => [name]), ...VERBS.map(({ name }) => [name]), ...actions];

  it.each(screens.map((words) => ({ name: words.join(" "), words })))(
    "sregistry help $name: 60 lines of 80 columns at most",
    async ({ words }) => {
      const lines = (await help(words)).trimEnd().split("\n");
      expect(lines.filter((line) => line.length > 80)).toEqual([]);
      expect(lines.length).toBeLessThanOrEqual(60);
    },
  );

  it("of a wide terminal has lines of 100 columns at most, and fewer of them", async () => {
    const wide = (await help(["pull"], 200)).split("\n");
    expect(wide.filter((line) => line.length > 100)).toEqual([]);
    expect(wide.length).toBeLessThan((await help(["pull"], 80)).split("\n").length);
  });
});

describe("an example", () => {
  /** The program's own words in a line that may be a pipe, a substitution or an assignment. */
  const ownWords = (command: string): readonly string[] => {
    const own = /sregistry (.*?)(?:\)| \||>|$)/.exec(command)?.[1] ?? "";
    return own.trim().replaceAll('"', "").split(/ +/);
  };

  const examples = [
    ...FIRST_STEPS.map(({ term }) => term),
    ...loaded.flatMap(({ verb }) => verb.examples.map(({ command }) => command)),
  ];

  // A digest that is cut short for the reader.
  it.each(examples.map((command) => command.replace("4f1e...", "4f1e".repeat(16))))("%s", async (command) => {
    await expect(program(ownWords(command))).resolves.toBeDefined();
  });
});

describe("sregistry help environment", () => {
  /** Of verbs' own flags, which their man pages name; of Slurm; of the place where the program runs. */
  const elsewhere = new Set([
    ...loaded.flatMap(({ verb }) => verb.options.flatMap(variablesOf)),
    ...GLOBAL_OPTIONS.flatMap(variablesOf),
    ...["HOME", "TERM", "XDG_RUNTIME_DIR"],
  ]);
  /** Told by a pattern: the others of a family. */
  const family = /^(?:SLURM|(?:SREGISTRY_REGISTRY|APPTAINER_DOCKER|SINGULARITY_DOCKER|DOCKER)_(?!CONFIG))/;

  it("tells every variable that is read", async () => {
    const folder = join(import.meta.dirname, "../../src");
    const sources = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
    const read = sources.flatMap((name) => {
      const text = readFileSync(join(folder, name), "utf8");
      const named = /"((?:SREGISTRY|SINGULARITY|APPTAINER|DOCKER|XDG|SLURM)_[A-Z_]+)"|\benv\["([A-Z_]+)"\]/g;
      return [...text.matchAll(named)].map((match) => match[1] ?? match[2] ?? "");
    });
    const told = await help(["environment"]);
    const untold = new Set(read.filter((name) => !elsewhere.has(name) && !family.test(name) && !told.includes(name)));
    expect(read.length).toBeGreaterThan(30);
    expect([...untold]).toEqual([]);
  });
});

describe("help on", () => {
  it.each([
    { title: "--help behind an action", words: ["remote", "add", "--help"], as: ["remote", "add"] },
    {
      title: "--help behind an action and its words",
      words: ["remote", "add", "lab", "--help"],
      as: ["remote", "add"],
    },
    { title: "the first word of several actions", words: ["serve", "user"], as: ["serve"] },
    { title: "--help behind words that are no action", words: ["pull", "lab/tool"], as: ["pull"] },
    { title: "help", words: ["help"], as: [] },
  ])("$title", async ({ words, as }) => expect(await help(words, 80, true)).toBe(await help(as)));

  it.each([
    [["pul"], 'there is no help on "pul": it is no verb and no topic', "did you mean sregistry help pull?"],
    [
      ["enviroment"],
      'there is no help on "enviroment": it is no verb and no topic',
      "did you mean sregistry help environment?",
    ],
    [["nonsense"], 'there is no help on "nonsense": it is no verb and no topic', "sregistry help"],
    [["remote", "lst"], 'sregistry remote has no action "lst"', "did you mean sregistry remote list?"],
    [["pull", "push"], "sregistry pull has no actions", "sregistry help pull"],
  ])("%j is refused", async (words, message, hint) => {
    await expect(help(words)).rejects.toMatchObject({ code: "USAGE", message, hint });
  });

  it("an action shows its own flags and examples", async () => {
    expect(await help(["cache", "prune"])).toBe(`Usage: sregistry cache prune [flags]

Remove what was not used for long.

Flags:
  --max-size <size>   what may stay: 500M, 50GiB, 1T
  --older-than <age>  what was not used for: 12h, 30d, 8w
  --dry-run           say what would go

Examples:
  sregistry cache prune --max-size 200GiB --older-than 60d
      least recently used first

All actions: sregistry help cache
Flags that every verb takes: sregistry help flags
`);
  });
});
