/** Signed deletions: of a tag, of a digest, and the server's fault that makes a web page of every one. */
import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { digestOf } from "../../src/reference/digest.ts";
import { capability, type Registry } from "../../src/registry/registry.ts";
import { reply } from "../support/faults.ts";
import { failureOf } from "../support/http.ts";
import {
  NO_LIBRARY,
  named,
  type SregistryClient,
  type SregistryClientOptions,
  sregistryClient,
} from "../support/sregistry-client.ts";
import { type RunningPeer, startSregistryPeer } from "../support/sregistry-peer.ts";

const ONE = Buffer.from("one image");
const TWO = Buffer.from("another image");
const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

let server: RunningPeer;
let client: SregistryClient;
const opened: SregistryClient[] = [];

beforeEach(async () => {
  server = await startSregistryPeer();
  server.peer.deletes = true;
  server.peer.add("lab/app:1.0", ONE);
  server.peer.add("lab/app:latest", ONE);
  server.peer.add("lab/app:2.0", TWO);
  open({});
});
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
  await server[Symbol.asyncDispose]();
});

function open(options: SregistryClientOptions): void {
  client = sregistryClient(server.faults.url, options);
  opened.push(client);
}

const remove = (name: string) => capability(client.registry, "delete")(named(name), client.call);
const plan = (name: string) => capability(client.registry, "deletable")(named(name), client.call);
const left = (): readonly string[] => server.peer.rows.map(({ tag }) => tag);

describe("of a tag", () => {
  it("takes that one alone", async () => {
    expect(await plan("me/lab/app:1.0")).toEqual({ deleted: ["library://lab/app:1.0"] });
    expect(left()).toEqual(["1.0", "latest", "2.0"]);
    expect(await remove("me/lab/app:1.0")).toEqual({ deleted: ["library://lab/app:1.0"] });
    expect(left()).toEqual(["latest", "2.0"]);
    expect(server.faults.requests.at(-1)?.headers["authorization"]).toMatch(/Credential=delete\//);
  });

  it("in capitals is that of the server, which stores small ones", async () => {
    expect(await remove("lab/app:LATEST")).toEqual({ deleted: ["library://lab/app:latest"] });
    expect(left()).toEqual(["1.0", "2.0"]);
  });

  it("in capitals that the library protocol stored is not in a search and is found all the same", async () => {
    server.peer.add("lab/app:V3", undefined);
    expect(await remove("lab/app:V3")).toEqual({ deleted: ["library://lab/app:V3"] });
    expect(left()).toEqual(["1.0", "latest", "2.0"]);
  });

  it("that is not there is not found", async () => {
    expect(await failureOf(plan("lab/app:3.0"))).toMatchObject({
      code: "NOT_FOUND",
      message: "the registry has no library://lab/app:3.0",
    });
  });
});

describe("of a name with an entity", () => {
  const libraryOf = (bytes: Buffer): Registry => ({
    ...NO_LIBRARY,
    resolve: async (reference) => ({
      reference,
      size: bytes.length,
      digest: digestOf(bytes),
      architecture: undefined,
      mediaType: undefined,
      annotations: {},
    }),
  });

  it("that is another image by the library protocol deletes neither", async () => {
    open({ library: libraryOf(TWO) });
    for (const doing of [plan, remove]) {
      expect(await failureOf(doing("me/lab/app:1.0"))).toEqual({
        code: "CONFLICT",
        message: `library://me/lab/app:1.0 is ${digestOf(TWO)} at the registry, and what a deletion would take is library://lab/app:1.0, ${digestOf(ONE)}`,
        hint: "if that one is meant: sregistry delete library://lab/app:1.0",
      });
    }
    expect(left()).toEqual(["1.0", "latest", "2.0"]);
    expect(await remove("lab/app:1.0")).toEqual({ deleted: ["library://lab/app:1.0"] });
  });

  it("that is the same image goes, and is told by the name that it has", async () => {
    open({ library: libraryOf(ONE) });
    expect(await remove("me/lab/app:1.0")).toEqual({ deleted: ["library://lab/app:1.0"] });
    expect(left()).toEqual(["latest", "2.0"]);
  });
});

describe("of a digest", () => {
  it("takes every tag that has it", async () => {
    const name = `lab/app:sha256.${sha256(ONE)}`;
    const goes = { deleted: ["library://lab/app:1.0", "library://lab/app:latest"] };
    expect(await plan(name)).toEqual(goes);
    expect(await remove(name)).toEqual(goes);
    expect(left()).toEqual(["2.0"]);
  });

  it("that no tag has is not found", async () => {
    const name = `lab/app:sha256.${"0".repeat(64)}`;
    expect(await failureOf(remove(name))).toMatchObject({
      code: "NOT_FOUND",
      message: `the registry has no library://${name}`,
    });
    expect(left()).toEqual(["1.0", "latest", "2.0"]);
  });
});

describe("a refusal", () => {
  it("by 500 is the server's own fault: the web page can", async () => {
    server.peer.deletes = false;
    const { id } = server.peer.row("lab/app:1.0") ?? {};
    expect(await failureOf(remove("lab/app:1.0"))).toEqual({
      code: "UNSUPPORTED",
      message:
        "the registry cannot delete lab/app:1.0 by its API (status 500: a fault of the server's, or a login that it does not take)",
      hint: `delete it on its web page: ${server.faults.url.origin}/containers/${id}`,
    });
    expect(server.faults.count({ method: "DELETE" })).toBe(1);
  });

  it("for a frozen tag is a conflict, in the server's words", async () => {
    Object.assign(server.peer.row("lab/app:1.0") ?? {}, { frozen: true });
    expect(await failureOf(remove("lab/app:1.0"))).toEqual({
      code: "CONFLICT",
      message: "the registry does not delete lab/app:1.0: lab/app:1.0 is frozen, delete not allowed.",
      hint: "unfreeze it on its web page (at sregistry serve: sregistry serve unfreeze lab/app:1.0)",
    });
  });

  it("for a wrong signature is no right", async () => {
    open({ token: "f".repeat(40) });
    expect(await failureOf(remove("lab/app:1.0"))).toMatchObject({
      code: "FORBIDDEN",
      message: "the registry does not delete lab/app:1.0: Unauthorized",
    });
    expect(left()).toEqual(["1.0", "latest", "2.0"]);
  });

  it("by a 403 with a page is the daily limit", async () => {
    const headers = { "content-type": "text/html" };
    server.faults.on({ method: "DELETE" }, reply(403, { headers, body: "<h1>403 Forbidden</h1>" }));
    expect((await failureOf(remove("lab/app:1.0"))).code).toBe("RATE_LIMITED");
  });

  it("without a login comes before any request", async () => {
    open({ token: undefined });
    expect(await failureOf(plan("lab/app:1.0"))).toEqual({
      code: "UNAUTHORIZED",
      message: "the registry deletes for its users only, and no login is known for it",
      hint: `sregistry remote add --insecure NAME ${server.faults.host}, which asks for the token`,
    });
    expect(server.story()).toEqual([]);
  });
});

it("in another's collection is warned of once: the server lets every user delete everything", async () => {
  server.peer.collections.set("lab", { name: "lab", owner: "somebody", private: false });
  await plan("lab/app:1.0");
  await remove("lab/app:1.0");
  expect(client.said).toEqual([
    "warn: the collection lab is not yours, and the registry may delete in it all the same",
  ]);
  expect(left()).toEqual(["latest", "2.0"]);
});
