/** The programming interface: every method, on the embedded registry and over HTTP; clients apart; calls stopped; an end. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type Client, type ClientOptions, createClient, onProgress, type ProgressEvent } from "../../src/index.ts";
import { FIXTURES } from "../support/program.ts";

const TINY = join(FIXTURES, "tiny.sif");
const SIGNED = join(FIXTURES, "tiny_signed.sif");

interface Place extends AsyncDisposable {
  readonly client: Client;
  readonly home: string;
}

async function place(options: ClientOptions = {}): Promise<Place> {
  const home = await mkdtemp(join(tmpdir(), "sregistry-client-"));
  const client = await createClient({ home, cwd: home, ...options });
  return {
    client,
    home,
    async [Symbol.asyncDispose]() {
      await client.close();
      await rm(home, { recursive: true, force: true });
    },
  };
}

async function all<T>(items: AsyncIterable<T>): Promise<readonly T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

/** A server that takes connections, and answers nobody. */
async function silentServer(): Promise<{ readonly host: string } & AsyncDisposable> {
  const server = createServer(() => undefined);
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  return {
    host: `127.0.0.1:${port}`,
    [Symbol.asyncDispose]: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}

describe("a client", () => {
  it("does at a registry over HTTP what the verbs do", async () => {
    await using here = await place();
    const { client, home } = here;
    await using served = await client.serve();
    const lab = `oras://${new URL(served.url).host}/lab/tool`;
    const pushed = await client.push(TINY, `${lab}:1.0`, { tags: ["1.0", "latest"] });
    expect(pushed).toMatchObject({ references: [`${lab}:1.0`, `${lab}:latest`], transfer: "uploaded" });
    expect(await client.planPush(TINY, `${lab}:2.0`)).toMatchObject({
      file: TINY,
      size: pushed.size,
      references: [`${lab}:2.0`],
    });
    expect((await all(client.list(lab))).map(({ name }) => name)).toEqual([`${lab}:1.0`, `${lab}:latest`]);
    expect(await all(client.listRows(lab, { columns: ["tag", "size"], sort: "-name", limit: 1 }))).toEqual([
      { tag: "latest", size: pushed.size },
    ]);
    const [described] = await all(client.describe(`${lab}:1.0`));
    expect(described).toMatchObject({ name: `${lab}:1.0`, image: { digest: pushed.digest, size: pushed.size } });
    expect((await client.inspect(TINY)).metadata).toEqual(described?.metadata);
    expect(await client.tag(`${lab}:1.0`, ["1", ":stable"])).toEqual({ references: [`${lab}:1`, `${lab}:stable`] });
    const pulled = await client.pull(`${lab}:stable`, { output: "tool.sif" });
    expect(pulled).toMatchObject({ path: join(home, "tool.sif"), digest: pushed.digest, outcome: "downloaded" });
    expect(await readFile(pulled.path)).toEqual(await readFile(TINY));
    expect(await client.pullAll([`${lab}:1`, `${lab}:none`, `${lab}:latest`])).toMatchObject([
      { reference: `${lab}:1`, outcome: { path: join(home, "tool_1.sif") }, failed: undefined },
      { reference: `${lab}:none`, outcome: undefined, failed: { code: "NOT_FOUND" } },
      { reference: `${lab}:latest`, outcome: { path: join(home, "tool_latest.sif") } },
    ]);
    expect(await client.copy(`${lab}:1.0`, "local://copied/tool")).toMatchObject({ outcome: "copied" });
    expect(
      (await all(client.copyAll(lab, "local://copied/all", { tags: ["1", "1.0"] }))).map(({ tag }) => tag),
    ).toEqual(["1", "1.0"]);
    expect((await all(client.search("tool", { where: "local://" }))).map(({ name }) => name)).toContain(
      "local://copied/tool:1.0",
    );
    expect(await client.delete(`${lab}:stable`, { dryRun: true })).toEqual({ deleted: [`${lab}:stable`] });
    expect(await client.delete(`${lab}:stable`)).toEqual({ deleted: [`${lab}:stable`] });
    await expect(client.pull(`${lab}:stable`)).rejects.toMatchObject({ code: "NOT_FOUND", exitStatus: 3 });
    expect((await all(client.labels(`${lab}:1.0`))).length).toBeGreaterThan(0);
    expect(await client.bcast(`${lab}:1.0`, "node.sif")).toMatchObject({
      path: join(home, "node.sif"),
      job: null,
    });
  });

  it("keeps images in its cache, and the store in order", async () => {
    await using here = await place();
    const { client, home } = here;
    const { digest } = await client.push(TINY, "local://lab/tool:1.0");
    const got = await client.get("local://lab/tool:1.0");
    expect(got).toMatchObject({ outcome: "downloaded", digest });
    expect(await client.cache.path()).toBe(join(home, ".cache", "sregistry"));
    expect((await client.cache.list()).entries.map((entry) => entry.digest)).toEqual([digest]);
    expect(await client.cache.verify()).toEqual({ intact: [got.path], damaged: [] });
    expect((await client.cache.prune({ maxSize: 0, dryRun: true })).removed).toEqual([]);
    expect((await client.cache.clean()).removed.map(({ path }) => path)).toEqual([got.path]);
    expect(client.store.path).toBe(join(home, ".local", "share", "sregistry", "registry"));
    expect(await client.store.freeze("lab/tool:1.0")).toBe("lab/tool:1.0");
    await expect(client.push(SIGNED, "local://lab/tool:1.0")).rejects.toMatchObject({ code: "CONFLICT" });
    expect(await client.store.unfreeze("lab/tool:1.0")).toBe("lab/tool:1.0");
    expect(await client.store.check({ repair: false })).toMatchObject({ remaining: 0 });
    const { token } = await client.store.addUser("alice");
    expect(token).toMatch(/^\S{40}$/);
    expect(await client.store.users()).toMatchObject([{ name: "alice" }]);
    expect(await client.store.removeUser("alice")).toBe(0);
  });

  it("logs in with secrets that it is given, and sees its own changes", async () => {
    await using here = await place();
    const { client } = here;
    await using served = await client.serve({ tokens: ["s3cret-of-the-group"] });
    const { host } = new URL(served.url);
    const options = { username: "me", password: "another-secret" };
    await expect(client.login(host, options)).rejects.toMatchObject({ code: "UNAUTHORIZED" });
    await expect(client.push(TINY, `oras://${host}/lab/tool:1`)).rejects.toMatchObject({ code: "UNAUTHORIZED" });
    const login = await client.login(host, { ...options, password: "s3cret-of-the-group" });
    expect(login).toEqual({ host, path: join(here.home, ".singularity", "docker-config.json"), owner: "admin" });
    await client.push(TINY, `oras://${host}/lab/tool:1`);
    expect(await client.logout(host)).toEqual({ host, path: login.path });
    await expect(client.push(SIGNED, `oras://${host}/lab/tool:1`)).rejects.toMatchObject({ code: "UNAUTHORIZED" });
  });

  it("takes a remote, its token, and names without scheme to it", async () => {
    await using here = await place();
    const { client } = here;
    const { token } = await client.store.addUser("alice");
    await using served = await client.serve();
    expect(await client.remotes.add("lab", served.url, { insecure: true, use: true })).toEqual({ takesToken: true });
    expect(await client.remotes.tokenPage()).toEqual({ remote: "lab", page: `${served.url}/auth/tokens` });
    await expect(client.remotes.login("lab", { token: "0".repeat(40) })).rejects.toMatchObject({
      code: "UNAUTHORIZED",
    });
    await expect(client.remotes.login("lab", { token: "two words" })).rejects.toMatchObject({ code: "USAGE" });
    const kept = await client.remotes.login(undefined, { token });
    expect(kept).toEqual({ remote: "lab", path: join(here.home, ".singularity", "remote.yaml") });
    expect(await client.remotes.status()).toMatchObject({ remote: "lab", login: "valid", user: "alice" });
    await client.createCollection("dinosaur");
    expect((await all(client.list())).map(({ name }) => name)).toEqual(["dinosaur/"]);
    expect((await client.push(TINY, "dinosaur/tool:1.0", { allowUnsigned: true })).pinned).toContain("dinosaur/tool");
    expect(await client.remotes.logout()).toEqual(kept);
    await client.remotes.add("mirror", "oras://127.0.0.1:1/mirror");
    await client.remotes.use("mirror");
    expect(await client.remotes.remove("mirror")).toMatchObject({ registry: expect.any(String) });
    expect((await client.remotes.list()).remotes.map(({ name }) => name)).toContain("lab");
  });
});

describe("clients of one process", () => {
  it("do not see each other's homes, variables and files", async () => {
    await using one = await place();
    const cachedElsewhere = join(one.home, "elsewhere");
    await using other = await place({ env: { SREGISTRY_CACHEDIR: cachedElsewhere } });
    await one.client.push(TINY, "local://lab/tool:1.0");
    await one.client.remotes.add("lab", "oras://127.0.0.1:1/lab");
    await one.client.remotes.use("lab");
    expect(await all(other.client.list("local://"))).toEqual([]);
    expect((await other.client.remotes.list()).registries).toEqual([]);
    expect(await other.client.cache.path()).toBe(cachedElsewhere);
    expect(await one.client.cache.path()).toBe(join(one.home, ".cache", "sregistry"));
    expect((await one.client.remotes.list()).registries).toMatchObject([{ name: "lab", isDefault: true }]);
  });

  it("read no variable of the process", async () => {
    process.env["SREGISTRY_CACHEDIR"] = "/nowhere";
    try {
      await using here = await place();
      expect(await here.client.cache.path()).toBe(join(here.home, ".cache", "sregistry"));
    } finally {
      delete process.env["SREGISTRY_CACHEDIR"];
    }
  });

  it("refuse a configuration that is wrong before they are there", async () => {
    const home = await mkdtemp(join(tmpdir(), "sregistry-client-"));
    await mkdir(join(home, ".config", "sregistry"), { recursive: true });
    await writeFile(join(home, ".config", "sregistry", "config.yaml"), "registry: [1");
    await expect(createClient({ home })).rejects.toMatchObject({ code: "CONFIG_INVALID" });
    await rm(home, { recursive: true, force: true });
  });
});

describe("a call", () => {
  it("is stopped by its own signal, with that signal's reason", async () => {
    await using here = await place();
    await using server = await silentServer();
    const stop = new AbortController();
    const reason = new Error("the user has left");
    const pulling = here.client.pull(`oras://${server.host}/lab/tool:1`, { signal: stop.signal });
    const listing = here.client.list(`oras://${server.host}/lab/tool`, { signal: stop.signal }).next();
    setImmediate(() => stop.abort(reason));
    await expect(pulling).rejects.toBe(reason);
    await expect(listing).rejects.toBe(reason);
    await expect(here.client.get("local://lab/tool:1", { signal: stop.signal })).rejects.toBe(reason);
    await expect(here.client.get("local://lab/tool:1")).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("tells its own listener of progress, and the client's where it has none", async () => {
    const heard: ProgressEvent[] = [];
    const own: ProgressEvent[] = [];
    await using here = await place({ progress: onProgress((event) => heard.push(event)) });
    await using served = await here.client.serve();
    const name = `oras://${new URL(served.url).host}/lab/tool:1`;
    const { size } = await here.client.push(TINY, name);
    expect(heard[0]).toEqual({ type: "start", id: 1, label: "tiny.sif", total: size, image: name });
    expect(heard.at(-1)).toEqual({ type: "done", id: 1, label: "tiny.sif" });
    heard.length = 0;
    await here.client.pull(name, { progress: onProgress((event) => own.push(event)) });
    expect(heard).toEqual([]);
    expect([own[0]?.type, own.at(-1)?.type]).toEqual(["start", "done"]);
    expect(own).toContainEqual({ type: "at", id: 1, label: "tool_1.sif", offset: size });
  });

  it("rejects names that are none, and throws nothing at once", async () => {
    await using here = await place();
    await expect(here.client.pull("::")).rejects.toMatchObject({ code: "REFERENCE_INVALID" });
    await expect(here.client.push(TINY, "lab/tool", { tags: ["a b"] })).rejects.toMatchObject({
      code: "REFERENCE_INVALID",
    });
    const listing = here.client.list("::");
    await expect(listing.next()).rejects.toMatchObject({ code: "REFERENCE_INVALID" });
  });
});

describe("a closed client", () => {
  it("has stopped what was running, closed its server, and takes no further call", async () => {
    await using here = await place();
    const { client } = here;
    await using server = await silentServer();
    const { url } = await client.serve();
    const pulling = client.pull(`oras://${server.host}/lab/tool:1`);
    const failed = expect(pulling).rejects.toMatchObject({
      code: "INTERRUPTED",
      message: "the client was closed while this was under way",
    });
    await client.close();
    await failed;
    await expect(fetch(`${url}/v2/`)).rejects.toThrow("fetch failed");
    await expect(client.get("local://lab/tool:1")).rejects.toMatchObject({
      code: "USAGE",
      message: "this client is closed",
    });
    await client.close();
  });
});
