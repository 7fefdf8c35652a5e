/** Several processes on one store, and processes that are killed: real ones. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { build } from "esbuild";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { silentLog, silentProgress } from "../../src/call.ts";
import { parseTag } from "../../src/reference/name.ts";
import { checkStore, openStore } from "../../src/registry/local/index.ts";
import { newOwner } from "../../src/transfer/owner.ts";
import { until } from "../support/registry-server.ts";

const call = { signal: new AbortController().signal, progress: silentProgress, log: silentLog };

/** `push DIR PATH TAG...` pushes one image a tag; `stall DIR PATH TAG` begins a push whose bytes never end. */
const PROGRAM = `
import { Readable } from "node:stream";
import { createLocalRegistry, openStore } from "./src/registry/local/index.ts";
const [what, directory, path, ...tags] = process.argv.slice(2);
const registry = createLocalRegistry(openStore(directory));
const task = { at() {}, state() {}, done() {}, fail() {} };
const log = { info() {}, warn() {}, verbose() {}, debug() {} };
const call = { signal: new AbortController().signal, progress: { start: () => task }, log };
for (const tag of tags) {
  const bytes = Buffer.from("image " + tag);
  const source = {
    size: bytes.length,
    open: () => what === "push" ? Readable.from([bytes]) : new Readable({ read() { setTimeout(() => this.push(Buffer.alloc(65536)), 1); } }),
    unchanged: async () => {},
  };
  const reference = { scheme: "local", path, selector: { kind: "tag", tag } };
  await registry.can.push({ reference, tags: [tag], source, title: "x", metadata: undefined, plainManifest: true }, call);
}
`;

let folder: string;
let program: string;
let root: string;
const children: ChildProcess[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sregistry-processes-"));
  program = join(folder, "program.mjs");
  const project = resolve(import.meta.dirname, "../..");
  const stdin = { contents: PROGRAM, resolveDir: project };
  await build({ stdin, bundle: true, platform: "node", format: "esm", outfile: program, logLevel: "error" });
});
afterAll(() => rm(folder, { recursive: true, force: true }));
beforeEach(async () => {
  root = await mkdtemp(join(folder, "store-"));
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

function start(...words: readonly string[]): ChildProcess {
  const child = spawn(process.execPath, [program, ...words], { stdio: ["ignore", "inherit", "inherit"] });
  children.push(child);
  return child;
}

async function run(...words: readonly string[]): Promise<unknown> {
  const [status] = await once(start(...words), "exit");
  return status;
}

const tagsOf = async (path: string): Promise<readonly string[]> =>
  [...((await openStore(root).repository(path).index())?.tags.keys() ?? [])].sort();

it("loses no tag when many processes push to one repository", async () => {
  const tags = [0, 1, 2, 3, 4, 5].map((process) => [0, 1, 2, 3].map((turn) => `${process}.${turn}`));
  const statuses = await Promise.all(tags.map((own) => run("push", root, "lab/tool", ...own)));
  expect(statuses).toEqual([0, 0, 0, 0, 0, 0]);
  expect(await tagsOf("lab/tool")).toEqual(tags.flat());
  const report = await checkStore(openStore(root), { repair: false, minimumAge: 0 }, call);
  expect(report.problems).toEqual([]);
});

it("shows nothing of a push that was killed; a check says what is left and takes it away", async () => {
  const child = start("stall", root, "lab/tool", "1.0");
  const uploads = join(root, "lab", "tool", ".uploads");
  const data = async (): Promise<number> => {
    const [id] = await readdir(uploads).catch(() => []);
    const bytes = id === undefined ? undefined : await readFile(join(uploads, id, "data")).catch(() => undefined);
    return bytes?.length ?? 0;
  };
  await until(async () => (await data()) > 0);
  const during = await checkStore(openStore(root), { repair: true, minimumAge: 0 }, call);
  expect(during.problems).toEqual([]);
  child.kill("SIGKILL");
  await once(child, "exit");
  const size = await data();
  const store = openStore(root);
  expect(await store.repositories()).toEqual([]);
  expect(await store.repository("lab/tool").index()).toBeUndefined();
  const found = await checkStore(store, { repair: false }, call);
  const message = `lab/tool: an upload of ${size} bytes was left unfinished`;
  expect(found).toMatchObject({ remaining: 1, problems: [{ kind: "upload", message, repaired: false }] });
  const repaired = await checkStore(store, { repair: true }, call);
  expect(repaired).toMatchObject({ remaining: 0, problems: [{ message: `${message}: removed`, repaired: true }] });
  expect(await readdir(uploads)).toEqual([]);
  expect((await checkStore(store, { repair: false }, call)).summary).toBe(
    "1 repository and 0 blobs checked: all is well",
  );
});

it("goes on after a process that died while it held the lock", async () => {
  const directory = join(root, "lab", "tool");
  const dead = start("stall", root, "lab/other", "1.0");
  dead.kill("SIGKILL");
  await once(dead, "exit");
  await mkdir(directory, { recursive: true });
  const owner = { ...(await newOwner()), pid: dead.pid, start: "1" };
  await writeFile(join(directory, ".lock"), JSON.stringify(owner));
  const found = await checkStore(openStore(root), { repair: false }, call);
  expect(found.problems.map(({ message }) => message)).toEqual([
    `lab/tool: ${join(directory, ".lock")} was left behind`,
  ]);
  const statuses = await Promise.all(["1", "2", "3"].map((tag) => run("push", root, "lab/tool", tag)));
  expect(statuses).toEqual([0, 0, 0]);
  expect(await tagsOf("lab/tool")).toEqual(["1", "2", "3"].map(parseTag));
  expect((await readdir(directory)).filter((name) => name.startsWith(".lock"))).toEqual([]);
});
