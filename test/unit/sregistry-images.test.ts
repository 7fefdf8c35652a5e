/** One endpoint over two stores: where an image is looked for, in which order, and which failure is told. */
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type ErrorCode, SregistryError } from "../../src/errors.ts";
import { parseDigest } from "../../src/reference/digest.ts";
import { formatReference } from "../../src/reference/format.ts";
import { parseTag } from "../../src/reference/name.ts";
import { capability, type ImageInfo, type PushRequest, type Registry } from "../../src/registry/registry.ts";
import { reply } from "../support/faults.ts";
import { failureOf } from "../support/http.ts";
import { METADATA } from "../support/oci-client.ts";
import { makeSif } from "../support/sif.ts";
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
const digest = (bytes: Buffer) => parseDigest(`sha256:${createHash("sha256").update(bytes).digest("hex")}`);

let server: RunningPeer;
let client: SregistryClient;
let library: Library;
const opened: SregistryClient[] = [];

beforeEach(async () => {
  server = await startSregistryPeer();
  library = new Library();
  open({});
});
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
  await server[Symbol.asyncDispose]();
});

function open(options: SregistryClientOptions): void {
  client = sregistryClient(server.faults.url, { protocol: "auto", library: library.registry, ...options });
  opened.push(client);
}

/** The library protocol's side of the server: the port on a map, so that each test says what it knows and how it fails. */
class Library {
  /** Bytes by name; undefined: a row whose blob is not there. */
  readonly images = new Map<string, { readonly digest: ImageInfo["digest"]; readonly bytes: Buffer | undefined }>();
  readonly asked: string[] = [];
  readonly pushed: PushRequest[] = [];
  failure: SregistryError | undefined;

  readonly registry: Registry = {
    name: "the library",
    signedOnly: true,
    resolve: async (reference) => {
      const name = formatReference(reference);
      this.asked.push(name);
      if (this.failure !== undefined) throw this.failure;
      const image = this.images.get(name);
      if (image === undefined) throw new SregistryError("NOT_FOUND", `${name} is not at the library`);
      return {
        reference,
        size: image.bytes?.length,
        digest: image.digest,
        architecture: "amd64",
        mediaType: undefined,
        annotations: {},
      };
    },
    read: async ({ reference }, { start }) => {
      const bytes = this.images.get(formatReference(reference))?.bytes;
      if (bytes === undefined) throw new SregistryError("NOT_FOUND", "NoSuchKey");
      return { start, total: bytes.length, body: Readable.from([bytes.subarray(start)]) };
    },
    can: {
      metadata: async () => METADATA,
      tag: async (image, tags) => void this.asked.push(`tag ${formatReference(image.reference)} ${tags.join()}`),
      push: async (request) => {
        this.pushed.push(request);
        if (this.failure !== undefined) throw this.failure;
        const { reference, tags } = request;
        return { reference, tags, digest: digest(ONE), transfer: "uploaded" };
      },
    },
  };

  add(name: string, bytes: Buffer, blob = true): void {
    this.images.set(name, { digest: digest(bytes), bytes: blob ? bytes : undefined });
  }

  fails(code: ErrorCode, message = "no"): void {
    this.failure = new SregistryError(code, message);
  }
}

const resolve = (name: string): Promise<ImageInfo> => client.registry.resolve(named(name), {}, client.call);

async function pull(name: string): Promise<string> {
  const { body } = await client.registry.read(await resolve(name), { start: 0 }, client.call);
  const chunks: Buffer[] = [];
  for await (const chunk of body) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString();
}

describe("a pull", () => {
  it("asks the library alone when that has the image", async () => {
    library.add("library://me/lab/app:1.0", ONE);
    expect(await pull("me/lab/app:1.0")).toBe("one image");
    expect(server.story()).toEqual([]);
  });

  it("asks by shub for what the library does not know: an image of a signed push", async () => {
    server.peer.add("lab/app:1.0", ONE);
    const image = await resolve("me/lab/app:1.0");
    expect([image.reference, image.digest]).toEqual([named("me/lab/app:1.0"), digest(ONE)]);
    expect(await pull("me/lab/app:1.0")).toBe("one image");
    expect(server.story()[0]).toBe("GET /api/container/lab/app:1.0");
    expect(client.said[0]).toBe(
      "verbose: by the library protocol: library://me/lab/app:1.0 is not at the library; trying by the shub protocol",
    );
  });

  it("goes on by shub when the library has the row and not the blob", async () => {
    library.add("library://lab/app:1.0", ONE, false);
    server.peer.add("lab/app:1.0", ONE);
    expect(await pull("lab/app:1.0")).toBe("one image");
  });

  it("does not take another image of that name from the other store", async () => {
    library.add("library://lab/app:1.0", ONE, false);
    server.peer.add("lab/app:1.0", TWO);
    expect(await failureOf(pull("lab/app:1.0"))).toMatchObject({ code: "NOT_FOUND", message: "NoSuchKey" });
  });

  it("asks shub first where pushes are signed, and the library for the file that is not there", async () => {
    open({ protocol: "hmac" });
    server.peer.add("lab/app:1.0", ONE);
    expect(await pull("lab/app:1.0")).toBe("one image");
    expect(library.asked).toEqual([]);
    server.peer.add("lab/app:2.0", undefined, { version: `sha256.${digest(TWO).slice(7)}` });
    library.add("library://lab/app:2.0", TWO);
    expect(await pull("lab/app:2.0")).toBe("another image");
    expect(library.asked).toEqual(["library://lab/app:2.0"]);
  });

  it("by digest looks for a tag that has it: this server passes over a digest", async () => {
    server.peer.add("lab/app:1.0", TWO);
    server.peer.add("lab/app:2.0", ONE);
    const name = `lab/app:sha256.${digest(ONE).slice(7)}`;
    expect(await pull(name)).toBe("one image");
    expect((await resolve(name)).reference).toEqual(named(name));
    expect(server.story()).toContain("GET /api/container/lab/app:2.0");
  });

  it("of a name that a push changed finds it under the other", async () => {
    server.peer.add("new-coll-x/app:v1", ONE);
    expect(await pull("me/new_coll.x/app:V1")).toBe("one image");
    library.add("library://me/new-coll-x/app:v2", TWO);
    expect(await pull("me/new_coll.x/app:V2")).toBe("another image");
    expect(client.said.at(-1)).toMatch(/trying library:\/\/me\/new-coll-x\/app:v2, as the server stores names$/);
  });

  it("of a tag in capitals that the library protocol stored takes that one", async () => {
    server.peer.add("lab/app:V1", TWO);
    server.peer.add("lab/app:v1", ONE);
    expect(await pull("lab/app:V1")).toBe("another image");
  });
});

describe("--arch", () => {
  const ARM64 = makeSif([], { architecture: "04" });
  const AMD64 = makeSif([], { architecture: "02" });
  const resolveFor = (name: string, architecture: string): Promise<ImageInfo> =>
    client.registry.resolve(named(name), { architecture }, client.call);

  it.each(["auto", "hmac"] as const)("arm64 of an amd64 image is not found, by --protocol %s", async (protocol) => {
    open({ protocol });
    server.peer.add("lab/app:1.0", AMD64);
    expect((await failureOf(resolveFor("me/lab/app:1.0", "arm64"))).code).toBe("NOT_FOUND");
    expect(client.said.join("\n")).toContain(
      protocol === "hmac" ? "is an image for amd64, not for arm64" : "trying by",
    );
    expect((await resolve("me/lab/app:1.0")).digest).toBe(digest(AMD64));
  });

  it.each(["auto", "hmac"] as const)("arm64 of an arm64 image comes by shub, by --protocol %s", async (protocol) => {
    open({ protocol });
    server.peer.add("lab/app:1.0", ARM64);
    expect((await resolveFor("me/lab/app:1.0", "arm64")).digest).toBe(digest(ARM64));
    expect((await resolveFor("me/lab/app:1.0", "arm64/v8")).digest).toBe(digest(ARM64));
  });

  it("arm64 is not read from the other store's amd64 image of an unknown digest", async () => {
    library.images.set("library://lab/app:1.0", { digest: undefined, bytes: undefined });
    server.peer.add("lab/app:1.0", AMD64);
    const image = await resolveFor("lab/app:1.0", "arm64");
    expect((await failureOf(client.registry.read(image, { start: 0 }, client.call))).code).toBe("NOT_FOUND");
  });

  it("of a file that is no SIF is warned of", async () => {
    server.peer.add("lab/app:1.0", ONE);
    await resolveFor("lab/app:1.0", "arm64");
    expect(client.said.at(-1)).toBe(
      "warn: shub://lab/app:1.0 at the registry does not say for which architecture it is; arm64 was asked for",
    );
  });
});

it("an entity that the shub protocol passes over is told with -v", async () => {
  server.peer.add("lab/app:1.0", ONE);
  await resolve("me/lab/app:1.0");
  expect(client.said.at(-1)).toBe(
    "verbose: the shub protocol has no entities: library://me/lab/app:1.0 is taken from shub://lab/app:1.0",
  );
});

describe("the failure that is told", () => {
  it("of an image that is nowhere names it as it was given", async () => {
    for (const protocol of ["auto", "hmac"] as const) {
      open({ protocol });
      expect(await failureOf(resolve("me/lab/app:1.0"))).toMatchObject({
        code: "NOT_FOUND",
        message: "library://me/lab/app:1.0 is not at the library",
      });
    }
  });

  it("is that the image is private, when the library only says that it is not found", async () => {
    open({ token: undefined });
    server.peer.add("lab/app:1.0", ONE);
    server.peer.collections.set("lab", { name: "lab", owner: "vanessa", private: true });
    for (const protocol of ["auto", "hmac"] as const) {
      open({ protocol, token: undefined });
      expect(await failureOf(resolve("lab/app:1.0"))).toMatchObject({
        code: "UNAUTHORIZED",
        message:
          "shub://lab/app:1.0 is private at the registry, and no login is known for it (Authentication Required)",
      });
    }
  });

  it("is the library's when the other store has nothing to add", async () => {
    library.fails("UNAUTHORIZED", "the token is wrong");
    expect(await failureOf(resolve("lab/app:1.0"))).toMatchObject({
      code: "UNAUTHORIZED",
      message: "the token is wrong",
    });
  });

  it("is the limit, when that is what stands in the way", async () => {
    server.faults.on({}, reply(200, { headers: { "content-type": "application/json" }, body: "429" }));
    expect((await failureOf(resolve("lab/app:1.0"))).code).toBe("RATE_LIMITED");
  });

  it.each(["NETWORK", "RATE_LIMITED", "INTEGRITY", "INTERRUPTED"] as const)(
    "is %s at once: the other store is no way around it",
    async (code) => {
      library.fails(code);
      expect((await failureOf(resolve("lab/app:1.0"))).code).toBe(code);
      expect(server.story()).toEqual([]);
    },
  );
});

describe("a push", () => {
  it("goes by the library, under the names that it will find", async () => {
    await client.push("me/new_coll.x/app:V1", ONE, { tags: ["V1", "Latest"].map(parseTag) });
    expect(library.pushed.map(({ reference, tags }) => [formatReference(reference), tags])).toEqual([
      ["library://me/new-coll-x/app:v1", ["v1", "latest"]],
    ]);
    expect(server.faults.count({ method: "POST" })).toBe(0);
  });

  it.each([
    ["UNSUPPORTED", "there is no such API"],
    ["NOT_FOUND", "POST /v1/collections (status 404)"],
    ["FORBIDDEN", "Authentication credentials were not provided."],
  ] as const)("is signed when the library says %s: %s", async (code, message) => {
    library.fails(code, message);
    expect((await client.push("lab/app:1.0", ONE)).transfer).toBe("uploaded");
    expect(server.peer.row("lab/app:1.0")?.bytes).toEqual(ONE);
    expect(client.said[0]).toBe(
      `info: the registry takes no push by the library protocol (${message}): signing one instead`,
    );
  });

  it.each([
    ["FORBIDDEN", "Permission denied 2 1"],
    ["CONFLICT", "This tag exists, and is frozen."],
    ["RATE_LIMITED", "Request was throttled."],
    ["NETWORK", "connection refused"],
  ] as const)("is not when it says %s: %s", async (code, message) => {
    library.fails(code, message);
    expect(await failureOf(client.push("lab/app:1.0", ONE))).toMatchObject({ code, message });
    expect(server.faults.count({ method: "POST" })).toBe(0);
  });

  it("is not when the user wants the library, or there is nothing to sign with", async () => {
    library.fails("UNSUPPORTED");
    open({ protocol: "library" });
    expect((await failureOf(client.push("lab/app:1.0", ONE))).code).toBe("UNSUPPORTED");
    open({ token: undefined });
    expect((await failureOf(client.push("lab/app:1.0", ONE))).code).toBe("UNSUPPORTED");
    expect(server.faults.count({ method: "POST" })).toBe(0);
  });

  it("warns of the image in another collection that this server deletes for it", async () => {
    server.peer.add("other/app:1.0", TWO);
    server.peer.add("lab/app:1.0", ONE);
    await client.push("lab/app:1.0", ONE);
    const warning =
      "warn: the registry may delete other/app:1.0 when lab/app:1.0 is pushed by the library protocol: a fault of this server, which --protocol hmac avoids";
    expect(client.said).toEqual([warning]);
    const headers = { "content-type": "application/json" };
    const body = JSON.stringify({ data: { version: "1.2.3", apiVersion: "2.0.0-alpha.2" } });
    server.faults.on({ path: /^\/version/ }, reply(200, { headers, body }));
    await client.push("lab/app:1.0", ONE);
    expect(client.said).toEqual([warning]);
  });

  it("to a frozen tag with other bytes is refused before the library gets any", async () => {
    server.peer.add("lab/app:1.0", TWO, { frozen: true });
    expect(await failureOf(client.push("me/lab/app:1.0", ONE))).toEqual({
      code: "CONFLICT",
      message: `lab/app:1.0 at the registry: This tag exists, and is frozen. It has other bytes: sha256.${digest(TWO).slice(7)}`,
      hint: "push to another tag, or unfreeze it on its web page (at sregistry serve: sregistry serve unfreeze lab/app:1.0)",
    });
    expect(library.pushed).toEqual([]);
    expect(server.faults.count({ method: "POST" })).toBe(0);
  });

  it("to a frozen tag with these very bytes, or to a tag that is frozen elsewhere, is the library's to judge", async () => {
    server.peer.add("lab/app:1.0", ONE, { frozen: true });
    await client.push("lab/app:1.0", ONE);
    server.peer.add("other/app:2.0", TWO, { frozen: true });
    await client.push("lab/app:2.0", ONE);
    expect(library.pushed).toHaveLength(2);
  });

  it("is not kept from the library by a limit on asking for such an image", async () => {
    server.faults.on({}, reply(403, { headers: { "content-type": "text/html" }, body: "<h1>403 Forbidden</h1>" }));
    expect((await client.push("lab/app:1.0", ONE)).transfer).toBe("uploaded");
    expect(library.pushed).toHaveLength(1);
  });

  it("is signed at once with --protocol hmac, and where there is no library", async () => {
    open({ protocol: "hmac" });
    await client.push("lab/app:1.0", ONE);
    open({ library: NO_LIBRARY });
    await client.push("lab/app:2.0", ONE);
    expect(library.pushed).toEqual([]);
    expect(server.peer.rows.map(({ tag }) => tag)).toEqual(["1.0", "2.0"]);
  });
});

describe("what the endpoint can", () => {
  it("is the library's where that is a matter of it", () => {
    expect(client.registry.signedOnly).toBe(true);
    open({ protocol: "hmac" });
    expect(client.registry.signedOnly).toBeUndefined();
  });

  it("follows where the image is: metadata and tags", async () => {
    library.add("library://lab/app:1.0", ONE);
    const image = await resolve("lab/app:1.0");
    const { metadata, tag } = client.registry.can;
    expect(await metadata?.(image, client.call)).toEqual(METADATA);
    await tag?.(image, [parseTag("Stable")], client.call);
    expect(library.asked.at(-1)).toBe("tag library://lab/app:1.0 stable");
    server.peer.add("lab/other:1.0", ONE);
    expect(
      await failureOf(capability(client.registry, "tag")(await resolve("lab/other:1.0"), [], client.call)),
    ).toMatchObject({
      code: "UNSUPPORTED",
      message: "the registry gives no second tag to an image that came by a signed push",
    });
  });
});
