/** What the built program answers with --json, held to the schemas that it ships. */
import { readdirSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LIST_COLUMNS } from "../../src/client/list-columns.ts";
import { VERBS } from "../../src/commands/index.ts";
import { FIXTURES, type Run, type RunOptions, type Served, User } from "../support/program.ts";

const TINY = join(FIXTURES, "tiny.sif");
const SIGNED = join(FIXTURES, "tiny_signed.sif");
const SCHEMAS = resolve(import.meta.dirname, "../../schemas");

const ajv = new Ajv2020({ strict: true, allErrors: true });
ajv.addFormat("date-time", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/);
const schemas = new Map<string, ValidateFunction>(
  readdirSync(SCHEMAS).map((file) => [
    file.replace(".schema.json", ""),
    ajv.compile(JSON.parse(readFileSync(join(SCHEMAS, file), "utf8"))),
  ]),
);

/** All that `list` can tell. */
const COLUMNS = LIST_COLUMNS.join(",");

const exercised = new Set<string>();

/** What is wrong with a document, as lines; none for one that is right. */
function faults(name: string, document: unknown): readonly string[] {
  const validate = schemas.get(name);
  if (validate === undefined) return [`there is no schema ${name}`];
  exercised.add(name);
  if (validate(document)) return [];
  return (validate.errors ?? []).map(({ instancePath, message, params }) =>
    [instancePath, message, JSON.stringify(params)].join(" "),
  );
}

let owner: User;
let served: Served;
let user: User;
let token: string;

beforeAll(async () => {
  owner = await User.create();
  user = await User.create();
  const added = JSON.parse((await owner.run(["serve", "user", "add", "vanessa", "--json"])).stdout);
  token = added.user.token;
  expect(faults("serve-user-add", added)).toEqual([]);
  served = await owner.serve(["--public-read"]);
});
afterAll(async () => {
  await served.stop();
  await user[Symbol.asyncDispose]();
  await owner[Symbol.asyncDispose]();
});

const oras = (name: string): string => `oras://${served.host}/${name}`;
const library = (name: string): string => `library://${served.host}/${name}`;

interface Step extends RunOptions {
  readonly words: () => readonly string[];
  /** Of an answer that comes with a failure. */
  readonly status?: number;
}

/** In this order: a later one stands on what an earlier one made. */
const STEPS: readonly { readonly schema: string; readonly steps: readonly Step[] }[] = [
  { schema: "version", steps: [{ words: () => ["version"] }] },
  { schema: "remote-add", steps: [{ words: () => ["remote", "add", "--insecure", "--no-login", "lab", served.host] }] },
  { schema: "remote-login", steps: [{ words: () => ["remote", "login", "lab", "--token-stdin"] }] },
  { schema: "remote-use", steps: [{ words: () => ["remote", "use", "lab"] }] },
  {
    schema: "remote-add",
    steps: [{ words: () => ["remote", "add", "--insecure", "more", served.host, "--token-stdin"] }],
  },
  { schema: "remote-add", steps: [{ words: () => ["remote", "add", "oci", oras("group")] }] },
  {
    schema: "remote-list",
    steps: [{ words: () => ["remote", "list"] }, { words: () => ["remote", "list", "--offline"] }],
  },
  { schema: "remote-status", steps: [{ words: () => ["remote", "status"] }] },
  { schema: "remote-get-login-password", steps: [{ words: () => ["remote", "get-login-password"] }] },
  {
    schema: "login",
    steps: [
      { words: () => ["login", "lab", "--token-stdin"] },
      { words: () => ["login", served.host, "--username", "vanessa", "--password-stdin"] },
    ],
  },
  { schema: "collection-create", steps: [{ words: () => ["collection", "create", "drawer"] }] },
  {
    schema: "push-dry-run",
    steps: [{ words: () => ["push", "--dry-run", TINY, "lab/tool", "--tag", "1", "--tag", "2"] }],
  },
  {
    schema: "push",
    steps: [
      { words: () => ["push", "-U", TINY, "lab/tool", "--tag", "1", "--tag", "2"] },
      { words: () => ["push", SIGNED, oras("lab/signed:1")] },
      { words: () => ["push", TINY, "local://lab/tool:1"] },
    ],
  },
  {
    schema: "pull",
    steps: [
      { words: () => ["pull", oras("lab/signed:1"), "lab/tool:1", "--dir", "."] },
      { words: () => ["pull", oras("lab/signed:1"), "local://no/where:1", "--dir", "."], status: 3 },
      { words: () => ["pull", "--cache-only", library("vanessa/lab/tool:2")] },
      { words: () => ["pull", "--cache", "-o", "x.sif", oras("lab/signed:1")] },
    ],
  },
  { schema: "get", steps: [{ words: () => ["get", oras("lab/signed:1")] }] },
  { schema: "bcast", steps: [{ words: () => ["bcast", "lab/tool:1", "one.sif"] }] },
  {
    schema: "list-usage",
    steps: [
      { words: () => ["list", "--usage"] },
      { words: () => ["list", "lab", "--html", "usage.html"] },
      { words: () => ["list", "local://", "--usage"] },
    ],
  },
  {
    schema: "list",
    steps: [
      { words: () => ["list"] },
      { words: () => ["list", "--columns", COLUMNS] },
      { words: () => ["list", oras(""), "--columns", COLUMNS] },
      { words: () => ["list", "lab", "-e", "-r", "-t", "-d", "-l"] },
      { words: () => ["list", "local://"] },
    ],
  },
  { schema: "search", steps: [{ words: () => ["search", "tool"] }, { words: () => ["search", "tool", "local://"] }] },
  { schema: "labels", steps: [{ words: () => ["labels"] }] },
  {
    schema: "inspect",
    steps: [
      { words: () => ["inspect", SIGNED] },
      { words: () => ["inspect", oras("lab/signed:1")] },
      { words: () => ["inspect", library("vanessa/lab/tool:1")] },
    ],
  },
  { schema: "inspect-parts", steps: [{ words: () => ["inspect", TINY, "-e", "-r", "-t", "-d", "-l"] }] },
  { schema: "tag", steps: [{ words: () => ["tag", "lab/tool:1", "3", "4"] }] },
  {
    schema: "copy",
    steps: [
      { words: () => ["copy", "--dry-run", oras("lab/signed:1"), "local://lab/copied"] },
      { words: () => ["copy", oras("lab/signed:1"), "local://lab/copied"] },
    ],
  },
  {
    schema: "copy-all",
    steps: [
      { words: () => ["copy", "--all", "local://lab/copied", oras("lab/mirror")] },
      {
        words: () => ["copy", "--all", "--tag", "1", "--tag", "9", "local://lab/copied", oras("lab/mirror")],
        status: 3,
      },
    ],
  },
  { schema: "cache-path", steps: [{ words: () => ["cache", "path"] }] },
  { schema: "cache-list", steps: [{ words: () => ["cache", "list"] }] },
  { schema: "cache-verify", steps: [{ words: () => ["cache", "verify"] }] },
  { schema: "cache-prune", steps: [{ words: () => ["cache", "prune", "--max-size", "0", "--dry-run"] }] },
  { schema: "cache-clean", steps: [{ words: () => ["cache", "clean", "--force"] }] },
  { schema: "delete", steps: [{ words: () => ["delete", "lab/tool:4", "--force"] }] },
  { schema: "serve-user-add", steps: [{ words: () => ["serve", "user", "add", "paul"] }] },
  { schema: "serve-user-list", steps: [{ words: () => ["serve", "user", "list"] }] },
  { schema: "serve-user-remove", steps: [{ words: () => ["serve", "user", "remove", "paul"] }] },
  { schema: "serve-freeze", steps: [{ words: () => ["serve", "freeze", "lab/tool:1"] }] },
  { schema: "serve-unfreeze", steps: [{ words: () => ["serve", "unfreeze", "lab/tool:1"] }] },
  { schema: "serve-check", steps: [{ words: () => ["serve", "--check"] }] },
  { schema: "logout", steps: [{ words: () => ["logout", "lab"] }, { words: () => ["logout", served.host] }] },
  { schema: "remote-logout", steps: [{ words: () => ["remote", "logout", "more"] }] },
  { schema: "remote-remove", steps: [{ words: () => ["remote", "remove", "more"] }] },
];

describe("an answer with --json is what its schema says", () => {
  it.each(STEPS)("$schema", async ({ schema, steps }) => {
    for (const { words, status = 0 } of steps) {
      const run = await user.run([...words(), "--json"], { input: `${token}\n` });
      expect(run.status, run.stderr).toBe(status);
      expect(faults(schema, JSON.parse(run.stdout))).toEqual([]);
    }
  });

  it("serve, told once it listens", async () => {
    await using other = await User.create();
    const child = other.start(["serve", "--listen", "127.0.0.1:0", "--json"]);
    let text = "";
    for await (const chunk of child.stdout ?? []) {
      text += chunk;
      if (text.endsWith("}\n")) break;
    }
    child.kill("SIGTERM");
    expect(faults("serve", JSON.parse(text))).toEqual([]);
  });
});

describe("list with --format", () => {
  const lines = async (...words: readonly string[]): Promise<readonly string[]> => {
    const { status, stdout, stderr } = await user.run(["list", "lab", ...words]);
    expect(status, stderr).toBe(0);
    return stdout.trimEnd().split("\n");
  };

  it("asks for what the template names", async () => {
    expect(await lines("--format", "{{.tag}} {{.size}} {{.architecture}}")).toEqual(
      expect.arrayContaining(["1 40960 amd64", "2 40960 amd64", "3 40960 amd64"]),
    );
    expect(await lines("--format", "{{.size}} {{.labels.maintainer}}")).toContain("40960 vanessasaur");
  });

  it("tells which fields do not go together", async () => {
    expect(await user.run(["list", "--format", "{{.labels.x}} {{.created}}"])).toEqual({
      status: 2,
      stdout: "",
      stderr:
        "error: --format names labels and created, which list does not tell together\n" +
        "hint: beside labels there are name, size, digest and architecture\n",
    });
  });
});

describe("stderr", () => {
  it("is one document when a command with --json fails", async () => {
    const failed = await user.run(["pull", "local://no/where:1", "--json"]);
    expect(failed).toMatchObject({ status: 3, stdout: "" });
    expect(faults("error", JSON.parse(failed.stderr))).toEqual([]);
  });

  const events = ({ stderr }: Run): readonly { readonly event?: string }[] =>
    stderr
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));

  it("is an event a line with --progress json, whatever is said", async () => {
    const pulled = await user.run(["pull", "-v", "--progress", "json", oras("lab/signed:1"), "-o", "events.sif"]);
    const again = await user.run(["pull", "--progress", "json", oras("lab/signed:1"), "-o", "events.sif"]);
    expect([pulled, again]).toMatchObject([{ status: 0 }, { status: 0 }]);
    const all = [...events(pulled), ...events(again)];
    expect(all.flatMap((one) => faults("progress", one))).toEqual([]);
    expect(all.map(({ event }) => event)).toEqual(expect.arrayContaining(["start", "progress", "done", "message"]));
  });

  it("has the failure as one more line", async () => {
    await writeFile(user.path("other.sif"), "something else");
    const failed = await user.run(["pull", "--progress", "json", oras("lab/signed:1"), "-o", "other.sif"]);
    expect(failed.status).toBe(5);
    expect(events(failed).flatMap((one) => faults("progress", one))).toEqual([]);
    expect(events(failed).at(-1)).toMatchObject({ error: { code: "CONFLICT", exit: 5 } });
    const mistyped = await user.run(["pull", "--progress", "json", "--nonsense"]);
    expect(events(mistyped)).toMatchObject([{ error: { code: "USAGE" } }]);
  });
});

describe("every verb", () => {
  it("has a schema for each of its answers, which a test above has held it to", async () => {
    const verbs = await Promise.all(VERBS.map(async ({ name, load }) => ({ name, verb: await load() })));
    // A script for a shell is no document.
    expect(verbs.filter(({ verb }) => verb.answers.length === 0).map(({ name }) => name)).toEqual(["completion"]);
    const answers = verbs.flatMap(({ verb }) => verb.answers.map(({ name }) => name));
    expect([...answers, "error", "progress"].sort()).toEqual([...schemas.keys()].sort());
    expect([...schemas.keys()].filter((name) => !exercised.has(name))).toEqual([]);
  });
});
