/** The house's rules, read off the imports: see docs/architecture.md. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";

const ROOT = resolve(import.meta.dirname, "..");
const SRC = join(ROOT, "src");

interface Import {
  readonly file: string;
  readonly target: string;
}

const files = readdirSync(SRC, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts"))
  .map((name) => join(SRC, name));

/** Code alone: comments speak of anything. */
function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/^\s*\/\/.*$/gm, "");
}

const sources = new Map(files.map((file) => [relative(SRC, file), withoutComments(readFileSync(file, "utf8"))]));

/** `import ... from "x"`, `export ... from "x"`, `import("x")`. */
const IMPORT = /^(?:import|export)\s[^"=();]*?\bfrom\s+"([^"\n]+)"|\bimport\("([^"\n]+)"\)/gm;

const imports: readonly Import[] = [...sources].flatMap(([file, text]) =>
  [...text.matchAll(IMPORT)].map((match) => {
    const name = match[1] ?? match[2] ?? "";
    return { file, target: name.startsWith(".") ? relative(SRC, resolve(SRC, dirname(file), name)) : name };
  }),
);

/** The room of a file: its first folder, or for the protocols the first two; a file at the top is its own room. */
function room(file: string): string {
  const parts = file.split("/");
  if (parts.length === 1) return file;
  return parts[0] === "registry" && parts.length > 2 ? `registry/${parts[1]}` : (parts[0] ?? "");
}

const FOUNDATION = [
  "errors.ts",
  "call.ts",
  "secret.ts",
  "decode.ts",
  "hmac.ts",
  "version.ts",
  "units.ts",
  "nearest.ts",
  "shell-word.ts",
];

/** room -> the rooms it may import. A room may always import itself. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  "errors.ts": [],
  "call.ts": [],
  "exit-status.ts": ["errors.ts"],
  "version.ts": [],
  "units.ts": [],
  "shell-word.ts": [],
  "hmac.ts": [],
  "nearest.ts": [],
  "secret.ts": [],
  "decode.ts": ["errors.ts"],
  reference: FOUNDATION,
  image: [...FOUNDATION, "reference"],
  http: [...FOUNDATION, "reference"],
  transfer: [...FOUNDATION, "reference", "image", "http", "registry"],
  registry: [
    ...FOUNDATION,
    ...["reference", "image", "http", "transfer"],
    ...["registry/oci", "registry/local", "registry/library", "registry/shub", "registry/sregistry"],
  ],
  "registry/oci": [...FOUNDATION, "reference", "image", "http", "transfer", "registry"],
  "registry/library": [...FOUNDATION, "reference", "image", "http", "transfer", "registry"],
  "registry/shub": [...FOUNDATION, "reference", "image", "http", "transfer", "registry"],
  "registry/sregistry": [...FOUNDATION, "reference", "image", "http", "transfer", "registry"],
  "registry/local": [...FOUNDATION, "reference", "image", "transfer", "registry"],
  cache: [...FOUNDATION, "reference", "http", "transfer", "registry"],
  credentials: [...FOUNDATION, "reference", "http", "transfer"],
  yaml: FOUNDATION,
  config: [...FOUNDATION, "reference", "transfer", "yaml"],
  remote: [...FOUNDATION, "reference", "http", "transfer", "yaml", "credentials"],
  server: [...FOUNDATION, "reference", "image", "transfer", "registry/local"],
  slurm: [...FOUNDATION, "reference", "transfer"],
  client: [
    ...FOUNDATION,
    ...["reference", "image", "http", "transfer", "registry", "registry/local"],
    ...["cache", "credentials", "config", "remote", "server", "slurm"],
  ],
  terminal: FOUNDATION,
  commands: [...FOUNDATION, "exit-status.ts", "client", "reference", "image", "terminal", "context.ts"],
  "context.ts": [...FOUNDATION, "client", "commands", "terminal"],
  "program.ts": [...FOUNDATION, "client", "commands", "context.ts"],
  "keyring.ts": FOUNDATION,
  "start.ts": ["version.ts", "main.ts"],
  "main.ts": [...FOUNDATION, "commands", "context.ts", "program.ts", "terminal"],
  // Besides the client the types that its outcomes hold.
  "index.ts": [
    ...[...FOUNDATION, "client", "reference", "cache", "image", "registry", "registry/local", "remote", "slurm"],
  ],
};

/** package -> the one file that may name it. */
const ONE_PLACE: Readonly<Record<string, string>> = {
  undici: "http/undici.ts",
  yaml: "yaml/document.ts",
  inquirer: "terminal/prompt.ts",
  "cli-progress": "terminal/bar.ts",
  chalk: "terminal/style.ts",
  commander: "program.ts",
  "@napi-rs/keyring": "keyring.ts",
};

describe("the house", () => {
  it("has rules for every room", () => {
    expect([...new Set([...sources.keys()].map(room))].filter((name) => !(name in MAY_IMPORT))).toEqual([]);
  });

  it("has imports that go downward only", () => {
    const wrong = imports.filter(({ file, target }) => {
      if (!sources.has(target)) return false;
      const [from, to] = [room(file), room(target)];
      return from !== to && !MAY_IMPORT[from]?.includes(to);
    });
    expect(wrong.map(({ file, target }) => `${file} -> ${target}`)).toEqual([]);
  });

  it("names every package in one place", () => {
    const packages = imports.filter(({ target }) => !sources.has(target) && !target.startsWith("node:"));
    const wrong = packages.filter(({ file, target }) => ONE_PLACE[target] !== file);
    expect(wrong.map(({ file, target }) => `${file} -> ${target}`)).toEqual([]);
  });

  it("keeps disks out of the protocols", () => {
    const wrong = imports.filter(
      ({ file, target }) =>
        target.startsWith("node:fs") &&
        [
          ...["registry/oci", "registry/library", "registry/shub", "registry/sregistry"],
          ...["http", "image", "reference", "terminal", "yaml"],
        ].includes(room(file)),
    );
    expect(wrong.map(({ file, target }) => `${file} -> ${target}`)).toEqual([]);
  });

  it("touches the process at its edge only", () => {
    const allowed = ["start.ts", "main.ts", "context.ts", "keyring.ts"];
    const wrong = [...sources].filter(
      ([file, text]) =>
        /\bprocess\.(?!versions)\w|\bconsole\./.test(text) && !allowed.includes(file) && room(file) !== "terminal",
    );
    expect(wrong.map(([file]) => file)).toEqual([]);
  });

  it("ends the process nowhere", () => {
    expect([...sources].filter(([, text]) => text.includes("process.exit(")).map(([file]) => file)).toEqual([]);
  });

  it("has files that fit a room: 400 lines at most", () => {
    expect([...sources].filter(([, text]) => text.split("\n").length > 400).map(([file]) => file)).toEqual([]);
  });
});

/**
 * What verbs take of src/client that `createClient` has no method for, and why a program of one's own wants none.
 */
const FOR_VERBS_ALONE: Readonly<Record<string, string>> = {
  answerOnNode: "this program's own other end, on a node of a job",
  isRemote: "tells a typed word that is a remote from one that is a host: methods of their own",
  nearRemote: "words for the hint at a mistyped remote",
  suggest: "words for the hint at a mistyped name: a program lists for itself",
  requireIntact: "an answer made into an exit status",
  cacheContents: "counts for a question; `cache.list` tells them",
  pageTarget: "where a file may be put; `usagePage` gives the text",
  writePage: "writes that file",
  chosenEntries: "what `listRows` begins with, for metadata told one after the other",
  LIST_COLUMNS: "words of a flag's description; the type has them",
  parseColumns: "words with commas between: a program has a list",
  rowKey: "a column's member of a row",
  remoteWords: "words for a shell's completion",
  registryWords: "words for a shell's completion",
  loginWords: "words for a shell's completion",
  endpointWords: "words for a shell's completion",
  referenceWords: "words for a shell's completion",
  patternWords: "words for a shell's completion",
  tagWords: "words for a shell's completion",
};

describe("the programming interface", () => {
  /** Values, not types, that `files` import from src/client. */
  function taken(files: (file: string) => boolean): ReadonlySet<string> {
    const found = [...sources]
      .filter(([file]) => files(file))
      .flatMap(([, text]) => {
        const named = text.matchAll(/import (?!type)\{([^}]*)\} from "(?:\.\.?\/)+(?:client\/)?([\w-]+)\.ts"/g);
        const loaded = text.matchAll(/const \{([^}]*)\} = await import\("(?:\.\.?\/)+client\/([\w-]+)\.ts"\)/g);
        return [...named, ...loaded].filter(([, , name]) => sources.has(`client/${name}.ts`));
      });
    const names = found.flatMap(([, list = ""]) => list.split(",").map((one) => one.trim()));
    return new Set(
      names.filter((name) => name !== "" && !name.startsWith("type ")).map((name) => name.split(" as ")[0] ?? ""),
    );
  }

  it("reaches everything that a verb does", () => {
    const verbs = taken((file) => ["commands", "context.ts"].includes(room(file)));
    const client = taken((file) => /^client\/client(?:-parts)?\.ts$/.test(file));
    expect(verbs.size).toBeGreaterThan(30);
    expect([...verbs].filter((name) => !client.has(name) && !(name in FOR_VERBS_ALONE))).toEqual([]);
    const idle = Object.keys(FOR_VERBS_ALONE).filter((name) => !verbs.has(name) || client.has(name));
    expect(idle, "no reason is needed any more").toEqual([]);
  });
});

describe("the lock file", () => {
  const lock: { packages: Record<string, { integrity?: string; resolved?: string }> } = JSON.parse(
    readFileSync(join(ROOT, "package-lock.json"), "utf8"),
  );
  const packages = Object.entries(lock.packages).filter(([name]) => name !== "");

  it("has integrity on every entry", () => {
    expect(packages.filter(([, { integrity }]) => integrity === undefined).map(([name]) => name)).toEqual([]);
  });

  it("names no registry: a newcomer's own is asked", () => {
    expect(packages.filter(([, { resolved }]) => resolved !== undefined).map(([name]) => name)).toEqual([]);
  });
});
