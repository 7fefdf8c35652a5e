/** Users of the embedded server: their tokens, what is theirs, and the command that makes them. */
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { silentLog } from "../../src/call.ts";
import { addUser, freezeTag, listUsers, removeUser } from "../../src/client/serve.ts";
import type { Services } from "../../src/client/services.ts";
import { serve } from "../../src/commands/serve.ts";
import { Flags } from "../../src/commands/verb.ts";
import { parseReference } from "../../src/reference/parse.ts";
import { openStore } from "../../src/registry/local/index.ts";
import { Secret } from "../../src/secret.ts";
import { createAccess } from "../../src/server/access.ts";
import { imagePath } from "../../src/server/image-path.ts";
import { createRegistryServer } from "../../src/server/server.ts";
import { openUsers } from "../../src/server/users.ts";
import { manifestOf, pushBlob, pushManifest, type TestServer, testServer } from "../support/registry-server.ts";

const BEGIN = "/v2/lab/tool/blobs/uploads/";

/** What a client's operations look at. */
function servicesOf(server: TestServer): Services {
  return { store: server.root } as Partial<Services> as Services;
}

async function begin(server: TestServer, authorization?: string, path = BEGIN): Promise<number> {
  const headers = authorization === undefined ? {} : { authorization };
  return (await server.ask("POST", path, { headers })).status;
}

describe("users", () => {
  it("are in a file for the owner alone, with tokens of 40 hex digits", async () => {
    await using server = await testServer();
    const { token } = await openUsers(server.root).add("alice");
    expect(token.reveal()).toMatch(/^[0-9a-f]{40}$/);
    const path = join(server.root, ".sregistry/users.json");
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await stat(join(path, ".."))).mode & 0o777).toBe(0o700);
    const { records } = JSON.parse(await readFile(path, "utf8"));
    expect(records).toEqual([{ name: "alice", token: token.reveal(), created: expect.stringMatching(/Z$/) }]);
  });

  it("are each made once, by whoever comes first", async () => {
    await using server = await testServer();
    const outcomes = await Promise.allSettled([1, 2, 3].map(() => openUsers(server.root).add("alice")));
    expect(outcomes.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected", "rejected"]);
    await expect(openUsers(server.root).add("alice")).rejects.toMatchObject({ code: "CONFLICT" });
  });

  it.each(["", "Alice", "a b", "a/b", "../a", "a".repeat(65), "-a"])("cannot be called %j", async (name) => {
    await using server = await testServer();
    await expect(openUsers(server.root).add(name)).rejects.toMatchObject({ code: "USAGE" });
  });

  it("are known to a running server as soon as they are made, and unknown as soon as they are not", async () => {
    await using server = await testServer({ tokens: [new Secret("admin-token")] });
    const users = openUsers(server.root);
    const { token } = await users.add("alice");
    expect(await begin(server, `Bearer ${token.reveal()}`)).toBe(202);
    await users.remove("alice");
    expect(await begin(server, `Bearer ${token.reveal()}`)).toBe(401);
  });

  it("close a server on loopback that was open", async () => {
    await using server = await testServer();
    expect(await begin(server)).toBe(202);
    const { token } = await openUsers(server.root).add("alice");
    expect(await begin(server)).toBe(401);
    expect(await begin(server, `Bearer ${token.reveal()}`)).toBe(202);
  });

  it("leave it closed when the last of them goes, and over a restart what is somebody's keeps it so", async () => {
    const server = await testServer();
    const users = openUsers(server.root);
    const { token } = await users.add("alice");
    expect(await begin(server, `Bearer ${token.reveal()}`)).toBe(202);
    await users.remove("alice");
    expect(await begin(server)).toBe(401);
    expect((await server.ask("GET", "/v2/_catalog")).status).toBe(401);
    await using again = await server.restart();
    expect(await begin(again)).toBe(401);
    expect((await again.ask("GET", "/v2/_catalog")).status).toBe(401);
  });

  it("who were there when the server started leave it closed though nothing was asked before they went", async () => {
    const server = await testServer();
    const users = openUsers(server.root);
    await users.add("alice");
    await using again = await server.restart();
    await users.remove("alice");
    expect(await begin(again)).toBe(401);
  });

  it("come in as Bearer, Token, Basic or bare", async () => {
    await using server = await testServer();
    const token = (await openUsers(server.root).add("alice")).token.reveal();
    const basic = Buffer.from(`anybody:${token}`).toString("base64");
    for (const words of [`Bearer ${token}`, `BEARER  ${token}`, `Token ${token}`, token, `Basic ${basic}`]) {
      expect([words.split(" ")[0], await begin(server, words)]).toEqual([words.split(" ")[0], 202]);
    }
    for (const words of [
      `Digest ${token}`,
      `Bearer ${token} x`,
      token.toUpperCase(),
      token.slice(1),
      "Basic",
      "Bearer ",
    ]) {
      expect([words, await begin(server, words)]).toEqual([words, 401]);
    }
  });

  it("whose file is damaged let nobody in", async () => {
    await using server = await testServer();
    await openUsers(server.root).add("alice");
    await writeFile(join(server.root, ".sregistry/users.json"), "{");
    expect(await begin(server)).toBe(500);
    expect((await server.ask("GET", "/v2/")).status).toBe(500);
  });

  it("are enough to listen beyond loopback, and the last one's going opens nothing there", async () => {
    await using server = await testServer();
    const users = openUsers(server.root);
    const options = { store: openStore(server.root), listen: { host: "0.0.0.0", port: 0 }, log: silentLog };
    await expect(createRegistryServer(options)).rejects.toMatchObject({ code: "USAGE" });
    await users.add("alice");
    const open = await createRegistryServer(options);
    try {
      await users.remove("alice");
      const url = open.url.replace("0.0.0.0", "127.0.0.1");
      expect((await fetch(`${url}/v2/_catalog`)).status).toBe(401);
    } finally {
      await open.close(0);
    }
  });
});

describe("signed requests", () => {
  const signed = "SREGISTRY-HMAC-SHA256 Credential=push/YWxpY2U=/20261121T02Z,Signature=00";

  it("are refused where nothing verifies them", async () => {
    await using server = await testServer();
    await openUsers(server.root).add("alice");
    expect(await begin(server, signed)).toBe(403);
  });
});

describe("collections over OCI", () => {
  it("are whose push comes first; others read", async () => {
    await using server = await testServer();
    const users = openUsers(server.root);
    const alice = `Bearer ${(await users.add("alice")).token.reveal()}`;
    const bob = `Bearer ${(await users.add("bob")).token.reveal()}`;
    expect(await begin(server, alice)).toBe(202);
    const refused = await server.ask("POST", BEGIN, { headers: { authorization: bob } });
    expect([refused.status, JSON.parse(refused.body.toString()).errors[0]]).toEqual([
      403,
      { code: "DENIED", message: "the collection lab belongs to somebody else" },
    ]);
    expect(await begin(server, bob, "/v2/lab/deeper/tool/blobs/uploads/")).toBe(202);
    expect((await server.ask("GET", "/v2/lab/tool/tags/list", { headers: { authorization: bob } })).status).toBe(404);
    for (const path of ["/v2/lab/tool/manifests/1.0", `/v2/lab/tool/blobs/sha256:${"0".repeat(64)}`]) {
      expect((await server.ask("DELETE", path, { headers: { authorization: bob } })).status).toBe(403);
    }
  });

  it("that were there before there were users are everybody's until somebody pushes", async () => {
    await using server = await testServer();
    await pushManifest(server, "lab/tool", "1.0", await manifestOf(server, "lab/tool", "one"));
    const access = createAccess(openStore(server.root));
    expect(await access.collections.get("lab")).toBeUndefined();
    const token = (await openUsers(server.root).add("alice")).token.reveal();
    expect(await begin(server, `Bearer ${token}`)).toBe(202);
    expect(await access.collections.get("lab")).toMatchObject({ name: "lab", owner: "alice", private: false });
  });

  it("that are private ask strangers for a login, and are not there for other users", async () => {
    await using server = await testServer({ publicRead: true, tokens: [new Secret("admin-token")] });
    const access = createAccess(openStore(server.root));
    await access.collections.create("lab", "alice", true);
    const bob = (await openUsers(server.root).add("bob")).token.reveal();
    const status = async (token?: string) => {
      const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
      return (await server.ask("GET", "/v2/lab/tool/manifests/1.0", { headers })).status;
    };
    expect([await status(), await status(bob), await status("admin-token")]).toEqual([401, 404, 404]);
    const asked = await server.ask("GET", "/v2/lab/tool/tags/list");
    expect(asked.headers["www-authenticate"]).toBe('Basic realm="sregistry", charset="UTF-8"');
  });

  it("of an edited file are private when it says anything but no", async () => {
    await using server = await testServer();
    await openStore(server.root).prepare();
    const access = createAccess(openStore(server.root));
    await access.collections.create("lab", "alice", false);
    const file = join(server.root, ".sregistry/collections.json");
    await writeFile(file, (await readFile(file, "utf8")).replace('"private": false', '"private": "false"'));
    expect(await access.collections.get("lab")).toMatchObject({ private: true });
  });
});

describe("names of library:// and shub:// in a flat store", () => {
  it("lead to what is there, else to what a push makes", async () => {
    await using server = await testServer();
    const store = openStore(server.root);
    for (const path of ["a/b/c", "my_coll/x", "solo"]) {
      await pushManifest(server, path, "1", await manifestOf(server, path, "one"));
    }
    const expected: Readonly<Record<string, string>> = {
      "a/b/c": "a/b/c",
      "other/b/c": "b/c",
      "any/My_Coll/X": "my_coll/x",
      "my_coll/other": "my-coll/other",
      "New_Coll.X/Tool": "new-coll-x/tool",
      solo: "solo",
      "library/solo": "solo",
      "any/library/solo": "solo",
      alpine: "library/alpine",
      "a//b/c/": "a/b/c",
    };
    for (const [name, path] of Object.entries(expected))
      expect([name, await imagePath(store, name)]).toEqual([name, path]);
    for (const name of ["", "a/_/c", "../c", "a/b/c d", "index.json/x"]) {
      await expect(imagePath(store, name), name).rejects.toThrow();
    }
  });
});

describe("sregistry serve", () => {
  it("adds, lists and removes users", async () => {
    await using server = await testServer();
    const services = servicesOf(server);
    const { token } = await addUser(services, "zoe");
    await addUser(services, "adam");
    expect(await begin(server, `Bearer ${token}`)).toBe(202);
    const listed = await listUsers(services);
    expect(listed.map(({ name }) => name)).toEqual(["adam", "zoe"]);
    expect(JSON.stringify(listed)).not.toContain(token);
    expect(await removeUser(services, "zoe")).toBe(1);
    await expect(removeUser(services, "zoe")).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("freezes and thaws a tag by its name", async () => {
    await using server = await testServer();
    await pushBlob(server, "lab/tool", "x");
    await pushManifest(server, "lab/tool", "1.0", await manifestOf(server, "lab/tool", "one"));
    const freeze = (name: string, on: boolean) => freezeTag(servicesOf(server), parseReference(name), on);
    expect(await freeze("lab/tool:1.0", true)).toBe("lab/tool:1.0");
    expect((await server.ask("DELETE", "/v2/lab/tool/manifests/1.0")).status).toBe(409);
    expect(await freeze("local://lab/tool:1.0", false)).toBe("lab/tool:1.0");
    expect((await server.ask("DELETE", "/v2/lab/tool/manifests/1.0")).status).toBe(202);
    await expect(freeze("lab/tool:2.0", true)).rejects.toMatchObject({ code: "NOT_FOUND" });
    await expect(freeze("oras://127.0.0.1:5000/lab/tool:1.0", true)).rejects.toMatchObject({ code: "USAGE" });
    await expect(freeze(`lab/tool@sha256:${"0".repeat(64)}`, true)).rejects.toMatchObject({ code: "USAGE" });
  });

  it("knows its words, and no others", () => {
    const parse = (...words: string[]) => serve.parse(words, new Flags(new Map()));
    expect(parse()).toMatchObject({ action: { kind: "serve" } });
    expect(parse("user", "add", "alice")).toMatchObject({ action: { kind: "user-add", name: "alice" } });
    expect(parse("user", "list")).toMatchObject({ action: { kind: "user-list" } });
    expect(parse("user", "remove", "alice")).toMatchObject({ action: { kind: "user-remove", name: "alice" } });
    expect(parse("unfreeze", "lab/tool:1")).toMatchObject({ action: { kind: "unfreeze" } });
    const wrong = [
      ["users"],
      ["user"],
      ["user", "add"],
      ["user", "list", "x"],
      ["freeze"],
      ["freeze", "a:1", "b:1"],
      ["user", "ban", "x"],
    ];
    for (const words of wrong) expect(() => parse(...words), words.join(" ")).toThrow(/has no action|is missing/);
    expect(() => serve.parse(["user", "list"], new Flags(new Map([["check", true]])))).toThrow(
      "--check does not go with",
    );
  });
});
