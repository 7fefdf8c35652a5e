/** URLs of uploads by the library protocol: how long they are good, and that they do not pile up. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { digestOf } from "../../src/reference/digest.ts";
import { openStore } from "../../src/registry/local/index.ts";
import { UploadSessions } from "../../src/server/library/sessions.ts";
import { openUsers } from "../../src/server/users.ts";
import { announce, call, pathOf } from "../support/library-wire.ts";
import { testServer } from "../support/registry-server.ts";

const nobody = { byName: async () => undefined };
const target = (content: string) => ({
  kind: "whole" as const,
  repository: openStore("/nowhere").repository("a/b"),
  digest: digestOf(content),
  size: content.length,
});

afterEach(() => void vi.useRealTimers());

describe("upload URLs", () => {
  it("that are never used do not pile up", async () => {
    vi.useFakeTimers({ now: 0, toFake: ["Date"] });
    const sessions = new UploadSessions();
    const old = sessions.grant(target("old"), undefined);
    for (let count = 0; count < 10; count += 1) sessions.grant(target("more"), undefined);
    expect([sessions.grants, (await sessions.granted(old, nobody))?.kind]).toEqual([11, "whole"]);
    vi.setSystemTime(25 * 3_600_000);
    sessions.grant(target("new"), undefined);
    expect([sessions.grants, await sessions.granted(old, nobody)]).toEqual([1, undefined]);
  });

  it("are over when the image is complete", async () => {
    await using server = await testServer();
    const content = Buffer.from("an image");
    const { image } = await announce(server, { path: "a/b/c", content });
    const asked = await call(server, "POST", `/v2/imagefile/${image.id}`, { filesize: content.length });
    const url = pathOf(asked.json.data.uploadURL);
    for (let times = 0; times < 2; times += 1)
      expect((await server.ask("PUT", url, { body: content })).status).toBe(200);
    expect((await call(server, "PUT", `/v2/imagefile/${image.id}/_complete`, {})).status).toBe(200);
    expect((await server.ask("PUT", url, { body: content })).status).toBe(404);
  });

  it("are over when the user's token is, though one of the same name comes after", async () => {
    await using server = await testServer();
    const users = openUsers(server.root);
    const token = (await users.add("alice")).token.reveal();
    const content = Buffer.from("an image");
    const { image } = await announce(server, { path: "a/b/c", content, token });
    const asked = await call(server, "POST", `/v2/imagefile/${image.id}`, { filesize: content.length }, token);
    const url = pathOf(asked.json.data.uploadURL);
    await users.remove("alice");
    await users.add("alice");
    expect((await server.ask("PUT", url, { body: content })).status).toBe(404);
  });
});
