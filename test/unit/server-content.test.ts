/** Blobs by range, manifests, tags, referrers, lists and deletions over HTTP. */
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { digestOf } from "../../src/reference/digest.ts";
import { parseChunkRange, parseRange } from "../../src/server/range.ts";
import {
  type Answer,
  MANIFEST_TYPE,
  manifestOf,
  pushBlob,
  pushManifest,
  type TestServer,
  testServer,
} from "../support/registry-server.ts";

let server: TestServer;
beforeEach(async () => {
  server = await testServer();
});
afterEach(async () => {
  await server[Symbol.asyncDispose]();
});

const json = ({ body }: Answer): unknown => JSON.parse(body.toString());
const code = ({ status, body }: Answer): unknown => [status, JSON.parse(body.toString()).errors[0].code];

describe("ranges", () => {
  const get = (range: string | undefined, more: Record<string, string> = {}): Promise<Answer> =>
    server.ask("GET", `/v2/a/blobs/${digestOf("0123456789")}`, {
      headers: range === undefined ? more : { range, ...more },
    });
  beforeEach(async () => void (await pushBlob(server, "a", "0123456789")));

  it.each([
    ["bytes=2-4", 206, "234", "bytes 2-4/10"],
    ["bytes=7-", 206, "789", "bytes 7-9/10"],
    ["bytes=-3", 206, "789", "bytes 7-9/10"],
    ["bytes=-99", 206, "0123456789", "bytes 0-9/10"],
    ["bytes=8-99", 206, "89", "bytes 8-9/10"],
    ["bytes=10-", 416, "", "bytes */10"],
    ["bytes=-0", 416, "", "bytes */10"],
    ["bytes=1-2,4-5", 200, "0123456789", undefined],
    ["lines=1-2", 200, "0123456789", undefined],
    [undefined, 200, "0123456789", undefined],
  ])("%s", async (range, status, text, contentRange) => {
    const { headers, ...answer } = await get(range);
    expect({ status: answer.status, text: answer.body.toString(), range: headers["content-range"] }).toEqual({
      status,
      text,
      range: contentRange,
    });
    expect(headers["content-length"]).toBe(String(text.length));
    expect(headers["accept-ranges"]).toBe("bytes");
  });

  it("hold for the digest that If-Range names, and for no other", async () => {
    const etag = `"${digestOf("0123456789")}"`;
    expect((await get("bytes=2-4", { "if-range": etag })).status).toBe(206);
    expect((await get("bytes=2-4", { "if-range": '"other"' })).status).toBe(200);
    expect((await get(undefined, { "if-none-match": etag })).status).toBe(304);
  });

  it("are ignored by HEAD, which says how long the whole is", async () => {
    const digest = digestOf("0123456789");
    const { status, headers, body } = await server.ask("HEAD", `/v2/a/blobs/${digest}`, {
      headers: { range: "bytes=2-4" },
    });
    expect([status, headers["content-length"], headers["docker-content-digest"], body.length]).toEqual([
      200,
      "10",
      digest,
      0,
    ]);
  });

  it("never leave the blob, whatever the header", () => {
    const header = fc.oneof(
      fc.string(),
      fc.tuple(fc.nat(), fc.nat()).map(([a, b]) => `bytes=${a}-${b}`),
    );
    fc.assert(
      fc.property(header, fc.nat({ max: 1000 }), (text, size) => {
        const range = parseRange(text, size);
        if (typeof range === "string") return true;
        return range.start >= 0 && range.start < range.end && range.end <= size;
      }),
    );
    fc.assert(
      fc.property(fc.string(), (text) => {
        const range = parseChunkRange(text);
        return range === undefined || range.start < range.end;
      }),
    );
  });
});

describe("manifests", () => {
  it("come back as they went, by tag and by digest", async () => {
    const manifest = await manifestOf(server, "lab/tool", "a SIF");
    const digest = digestOf(manifest);
    const put = await pushManifest(server, "lab/tool", "1.0", manifest);
    expect([put.status, put.headers.location, put.headers["docker-content-digest"]]).toEqual([
      201,
      `/v2/lab/tool/manifests/${digest}`,
      digest,
    ]);
    for (const name of ["1.0", digest, digest.replace(":", "%3A")]) {
      const got = await server.ask("GET", `/v2/lab/tool/manifests/${name}`);
      expect([got.status, got.headers["content-type"], got.body.toString()]).toEqual([200, MANIFEST_TYPE, manifest]);
    }
    const head = await server.ask("HEAD", "/v2/lab/tool/manifests/1.0");
    expect([head.status, head.headers["content-length"], head.body.length]).toEqual([200, String(manifest.length), 0]);
  });

  it("are stored under sha512, and take tags from the query", async () => {
    const manifest = await manifestOf(server, "lab/tool", "a SIF");
    const digest = digestOf(manifest, "sha512");
    const put = await pushManifest(server, "lab/tool", `${digest}?tag=1&tag=1.0`, manifest);
    expect([put.status, put.headers["oci-tag"]]).toEqual([201, "1, 1.0"]);
    expect((await server.ask("GET", "/v2/lab/tool/manifests/1.0")).headers["docker-content-digest"]).toBe(digest);
  });

  it("are refused when a blob is missing, and nothing is named", async () => {
    const manifest = await manifestOf(server, "lab/tool", "a SIF");
    const answer = await pushManifest(server, "lab/other", "1.0", manifest);
    expect(code(answer)).toEqual([400, "MANIFEST_BLOB_UNKNOWN"]);
    expect(code(await server.ask("GET", "/v2/lab/other/manifests/1.0"))).toEqual([404, "NAME_UNKNOWN"]);
  });

  it("are refused when they are none, are another's, or are too large", async () => {
    const manifest = await manifestOf(server, "lab/tool", "a SIF");
    expect(code(await pushManifest(server, "lab/tool", "1.0", "{"))).toEqual([400, "MANIFEST_INVALID"]);
    const twoKinds = JSON.stringify({ ...JSON.parse(manifest), manifests: [] });
    expect(code(await pushManifest(server, "lab/tool", "1.0", twoKinds))).toEqual([400, "MANIFEST_INVALID"]);
    expect(code(await pushManifest(server, "lab/tool", digestOf("x"), manifest))).toEqual([400, "DIGEST_INVALID"]);
    expect(code(await pushManifest(server, "lab/tool", "-no-tag", manifest))).toEqual([400, "MANIFEST_INVALID"]);
    const large = manifest + " ".repeat(4 * 1024 * 1024);
    expect(code(await pushManifest(server, "lab/tool", "1.0", large))).toEqual([413, "SIZE_INVALID"]);
    expect(code(await server.ask("GET", "/v2/lab/tool/tags/list"))).toEqual([404, "NAME_UNKNOWN"]);
  });

  it("stay by digest when their tag moves or goes; a digest goes with its tags", async () => {
    const first = await manifestOf(server, "lab/tool", "first");
    const second = await manifestOf(server, "lab/tool", "second");
    await pushManifest(server, "lab/tool", "latest", first);
    await pushManifest(server, "lab/tool", "latest", second);
    await pushManifest(server, "lab/tool", "1.0", second);
    const status = async (name: string): Promise<number> =>
      (await server.ask("HEAD", `/v2/lab/tool/manifests/${name}`)).status;
    expect(await status(digestOf(first))).toBe(200);
    expect((await server.ask("DELETE", "/v2/lab/tool/manifests/latest")).status).toBe(202);
    expect([await status("latest"), await status(digestOf(second)), await status("1.0")]).toEqual([404, 200, 200]);
    expect((await server.ask("DELETE", `/v2/lab/tool/manifests/${digestOf(second)}`)).status).toBe(202);
    expect([await status("1.0"), await status(digestOf(second))]).toEqual([404, 404]);
    expect(code(await server.ask("DELETE", "/v2/lab/tool/manifests/1.0"))).toEqual([404, "MANIFEST_UNKNOWN"]);
  });

  it("keep the blobs they need", async () => {
    const manifest = await manifestOf(server, "lab/tool", "a SIF");
    await pushManifest(server, "lab/tool", "1.0", manifest);
    const layer = `/v2/lab/tool/blobs/${digestOf("a SIF")}`;
    expect(code(await server.ask("DELETE", layer))).toEqual([403, "DENIED"]);
    await server.ask("DELETE", `/v2/lab/tool/manifests/${digestOf(manifest)}`);
    expect((await server.ask("DELETE", layer)).status).toBe(202);
    expect(code(await server.ask("DELETE", layer))).toEqual([404, "BLOB_UNKNOWN"]);
  });
});

describe("referrers", () => {
  const subjectOf = (manifest: string): object => ({
    subject: { mediaType: MANIFEST_TYPE, size: manifest.length, digest: digestOf(manifest) },
  });
  const list = async (digest: string, query = ""): Promise<Answer> =>
    server.ask("GET", `/v2/lab/tool/referrers/${digest}${query}`);

  it("are an index of what names a manifest as its subject, filtered by type", async () => {
    const image = await manifestOf(server, "lab/tool", "a SIF");
    const signature = await manifestOf(server, "lab/tool", "signature", {
      artifactType: "application/x.signature",
      annotations: { by: "me" },
      ...subjectOf(image),
    });
    const report = await manifestOf(server, "lab/tool", "report", subjectOf(image));
    const put = await pushManifest(server, "lab/tool", digestOf(signature), signature);
    expect(put.headers["oci-subject"]).toBe(digestOf(image));
    await pushManifest(server, "lab/tool", digestOf(report), report);
    await pushManifest(server, "lab/tool", "1.0", image);
    const entries = [
      {
        mediaType: MANIFEST_TYPE,
        digest: digestOf(signature),
        size: signature.length,
        artifactType: "application/x.signature",
        annotations: { by: "me" },
      },
      {
        mediaType: MANIFEST_TYPE,
        digest: digestOf(report),
        size: report.length,
        artifactType: "application/vnd.sylabs.sif.config.v1+json",
      },
    ];
    const all = await list(digestOf(image));
    const byDigest = (a: { digest: string }, b: { digest: string }): number => (a.digest < b.digest ? -1 : 1);
    expect(json(all)).toEqual({
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.index.v1+json",
      manifests: [...entries].sort(byDigest),
    });
    expect(all.headers["oci-filters-applied"]).toBeUndefined();
    const some = await list(digestOf(image), "?artifactType=application/x.signature");
    expect(json(some)).toMatchObject({ manifests: [entries[0]] });
    expect(some.headers["oci-filters-applied"]).toBe("artifactType");
    await server.ask("DELETE", `/v2/lab/tool/manifests/${digestOf(signature)}`);
    expect(json(await list(digestOf(image)))).toMatchObject({ manifests: [entries[1]] });
  });

  it("are none, with 200, for what nobody knows", async () => {
    const answer = await list(digestOf("nothing"));
    expect([answer.status, json(answer)]).toEqual([
      200,
      { schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests: [] },
    ]);
    expect(code(await list("sha256:none"))).toEqual([400, "DIGEST_INVALID"]);
  });
});

describe("lists", () => {
  const follow = async (path: string, member: string): Promise<readonly string[][]> => {
    const pages: string[][] = [];
    for (let next: string | undefined = path; next !== undefined; ) {
      const answer: Answer = await server.ask("GET", next);
      const names: unknown = Reflect.get(Object(json(answer)), member);
      pages.push(Array.isArray(names) ? names : []);
      next = /^<([^>]+)>; rel="next"$/.exec(String(answer.headers["link"] ?? ""))?.[1];
    }
    return pages;
  };

  it("give tags in order, page by page", async () => {
    const manifest = await manifestOf(server, "lab/tool", "a SIF");
    for (const tag of ["c", "A", "b", "10", "9"]) await pushManifest(server, "lab/tool", tag, manifest);
    expect(await follow("/v2/lab/tool/tags/list", "tags")).toEqual([["10", "9", "A", "b", "c"]]);
    expect(await follow("/v2/lab/tool/tags/list?n=2", "tags")).toEqual([["10", "9"], ["A", "b"], ["c"]]);
    expect(await follow("/v2/lab/tool/tags/list?n=5", "tags")).toEqual([["10", "9", "A", "b", "c"]]);
    expect(await follow("/v2/lab/tool/tags/list?last=A0", "tags")).toEqual([["b", "c"]]);
    expect(await follow("/v2/lab/tool/tags/list?n=0", "tags")).toEqual([[]]);
    expect(code(await server.ask("GET", "/v2/lab/tool/tags/list?n=-1"))).toEqual([400, "PAGINATION_NUMBER_INVALID"]);
    expect(code(await server.ask("GET", "/v2/none/tags/list"))).toEqual([404, "NAME_UNKNOWN"]);
  });

  it("give repositories in order, nested ones too, without those that are only begun", async () => {
    for (const name of ["b", "a/b/c", "a", "a-b"]) {
      await pushManifest(server, name, "1", await manifestOf(server, name, "a SIF"));
    }
    await pushBlob(server, "begun", "a blob");
    expect(await follow("/v2/_catalog", "repositories")).toEqual([["a", "a-b", "a/b/c", "b"]]);
    expect(await follow("/v2/_catalog?n=3", "repositories")).toEqual([["a", "a-b", "a/b/c"], ["b"]]);
  });
});

it("says what a path takes, and what is no path", async () => {
  const wrong = await server.ask("PATCH", "/v2/lab/tool/manifests/1.0");
  expect([code(wrong), wrong.headers["allow"]]).toEqual([[405, "UNSUPPORTED"], "GET, HEAD, PUT, DELETE"]);
  expect(code(await server.ask("GET", "/v3/images"))).toEqual([404, "UNSUPPORTED"]);
  expect(code(await server.ask("GET", "/v2/lab/manifests/%zz"))).toEqual([400, "NAME_INVALID"]);
  const ping = await server.ask("GET", "/v2/");
  expect([ping.status, json(ping), ping.headers["docker-distribution-api-version"]]).toEqual([200, {}, "registry/2.0"]);
});
