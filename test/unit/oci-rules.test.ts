/** The OCI endpoint's decisions that need no registry: parts, hosts, Locations, hints. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SregistryError } from "../../src/errors.ts";
import { baseUrl } from "../../src/http/address.ts";
import type { Auth } from "../../src/http/transport.ts";
import { parseDigest } from "../../src/reference/digest.ts";
import { parseHost } from "../../src/reference/host.ts";
import { closingUrl, createApi, settleLocation } from "../../src/registry/oci/api.ts";
import { nextCut, smallerChunk } from "../../src/registry/oci/cuts.ts";
import { deletionHint, refusalHint } from "../../src/registry/oci/hints.ts";
import { ruleFor } from "../../src/registry/oci/hosts.ts";

const MIB = 1024 * 1024;

describe("the parts of an upload", () => {
  /** Ends of all parts; the last is the closing request's. */
  function cuts(size: number, options: Parameters<typeof nextCut>[2]): readonly number[] {
    const ends: number[] = [];
    for (let at = 0, end = nextCut(at, size, options); end !== undefined; end = nextCut(at, size, options)) {
      ends.push(end);
      at = end;
    }
    return [...ends, size];
  }

  it.each([
    [200, [64, 128, 192, 200]],
    [64, [61, 64]],
    [65, [64, 65]],
    [9, [6, 9]],
    [8, [8]],
  ])("of %i MiB", (size, expected) => {
    expect(cuts(size * MIB, { chunkSize: 64 * MIB, least: 0, known: false })).toEqual(expected.map((end) => end * MIB));
  });

  it("end in a larger one when the digest is known", () => {
    expect(cuts(100 * MIB, { chunkSize: 64 * MIB, least: 0, known: true })).toEqual([64 * MIB, 100 * MIB]);
  });

  it("cover everything; all but the last are of the least size, and something is left for the closing request", () => {
    const property = fc.property(
      fc.integer({ min: 1, max: 400 * MIB }),
      fc.constantFrom(4 * MIB, 5 * MIB, 16 * MIB, 64 * MIB),
      fc.constantFrom(0, MIB, 10 * MIB, 40 * MIB),
      fc.boolean(),
      (size, chunkSize, least, known) => {
        const ends = cuts(size, { chunkSize, least, known });
        const parts = ends.map((end, index) => end - (ends[index - 1] ?? 0));
        expect(ends.at(-1)).toBe(size);
        expect(Math.min(...parts)).toBeGreaterThan(0);
        expect(Math.max(...parts)).toBeLessThanOrEqual(Math.max(chunkSize, least, 8 * MIB));
        for (const part of parts.slice(0, -1))
          expect(part).toBeGreaterThanOrEqual(Math.max(least, Math.min(chunkSize, 5 * MIB)));
      },
    );
    fc.assert(property);
  });

  it("get smaller until there is no smaller size", () => {
    expect(smallerChunk(500 * MIB, 64 * MIB)).toBe(64 * MIB);
    expect(smallerChunk(500 * MIB, 4 * MIB)).toBe(64 * MIB);
    expect(smallerChunk(64 * MIB, 64 * MIB)).toBe(16 * MIB);
    expect(smallerChunk(16 * MIB, 64 * MIB)).toBe(4 * MIB);
    expect(smallerChunk(4 * MIB, 64 * MIB)).toBeUndefined();
    expect(smallerChunk(4 * MIB, MIB)).toBe(MIB);
  });
});

describe("the host table", () => {
  it.each([
    ["ghcr.io", { mode: "monolithic", chunkSize: 4 * MIB }],
    ["europe-docker.pkg.dev", { mode: "monolithic", chunkSize: 64 * MIB }],
    ["eu.gcr.io", { mode: "monolithic", chunkSize: 64 * MIB }],
    ["1234.dkr.ecr.eu-west-1.amazonaws.com", { mode: "chunked", chunkSize: 64 * MIB, ignoresRange: true }],
    ["lab.azurecr.io", { mode: "chunked", chunkSize: 16 * MIB }],
    ["registry.example.org:5000", { mode: "chunked", chunkSize: 64 * MIB }],
    ["evilgcr.io", { mode: "chunked", chunkSize: 64 * MIB }],
  ])("knows %s", (host, rule) => {
    expect(ruleFor(host, [])).toEqual({ host, ...rule });
  });

  it("is overridden by the configuration, which need not repeat what it does not change", () => {
    const rules = [{ host: "*.amazonaws.com", mode: "chunked", chunkSize: 8 * MIB }] as const;
    const host = "1234.dkr.ecr.eu-west-1.amazonaws.com";
    expect(ruleFor(host, rules)).toEqual({ host, mode: "chunked", chunkSize: 8 * MIB, ignoresRange: true });
  });
});

describe("an upload's Location", () => {
  const OWN: Auth = { kind: "registry", scopes: ["repository:lab/tool:pull,push"] };
  const NONE: Auth = { kind: "none" };
  const transport = { send: () => Promise.reject(new Error("nothing is sent")), close: async () => undefined };
  const settle = (host: string, location: string) => {
    const api = createApi(parseHost(host), baseUrl(host), transport);
    const { url, auth } = settleLocation(api, new URL(location, api.base), OWN);
    return { url: url.href, auth };
  };

  it.each([
    ["registry.example.org", "/v2/x?_state=a%2Fb", "https://registry.example.org/v2/x?_state=a%2Fb", OWN],
    ["registry.example.org", "https://registry.example.org:443/v2/x", "https://registry.example.org/v2/x", OWN],
    // registry:2 behind a TLS proxy that does not say so.
    ["registry.example.org", "http://registry.example.org/v2/x?a=1", "https://registry.example.org/v2/x?a=1", OWN],
    ["registry.example.org:8443", "http://registry.example.org/v2/x", "https://registry.example.org:8443/v2/x", OWN],
    ["registry.example.org", "https://storage.example.org/x?sig=1", "https://storage.example.org/x?sig=1", NONE],
    ["registry.example.org", "https://registry.example.org:8443/x", "https://registry.example.org:8443/x", NONE],
    ["127.0.0.1:5000", "http://127.0.0.1:5001/x", "http://127.0.0.1:5001/x", NONE],
    ["127.0.0.1:5000", "http://10.0.0.5/x", "http://10.0.0.5/x", NONE],
  ])("at %s: %s", (host, location, url, auth) => {
    expect(settle(host, location)).toEqual({ url, auth });
  });

  it.each([
    ["registry.example.org", "http://storage.example.org/x"],
    ["registry.example.org", "https://127.0.0.1/x"],
    ["registry.example.org", "https://localhost/x"],
    ["registry.example.org", "https://169.254.169.254/latest/meta-data"],
    ["registry.example.org", "https://[::ffff:10.0.0.1]/x"],
    ["registry.example.org", "ftp://registry.example.org/x"],
    ["127.0.0.1:5000", "file:///etc/passwd"],
  ])("at %s is not followed to %s", (host, location) => {
    expect(() => settle(host, location)).toThrow(expect.objectContaining({ code: "REFUSED" }));
  });

  it("keeps its query as it is when the digest is added", () => {
    const digest = parseDigest(`sha256:${"0".repeat(64)}`);
    expect(closingUrl(new URL("https://r.example.org/u?_state=a%3D%3D&b=c+d"), digest).href).toBe(
      `https://r.example.org/u?_state=a%3D%3D&b=c+d&digest=sha256%3A${"0".repeat(64)}`,
    );
    expect(closingUrl(new URL("https://r.example.org/u"), digest).href).toBe(
      `https://r.example.org/u?digest=sha256%3A${"0".repeat(64)}`,
    );
  });
});

describe("a hint", () => {
  const hint = (host: string, code: "REFUSED" | "NOT_FOUND" | "FORBIDDEN" | "NETWORK", message: string) => {
    const error = new SregistryError(code, message, { hint: "as it was", status: 400 });
    const hinted = refusalHint(host, error);
    return hinted instanceof SregistryError ? { code: hinted.code, status: hinted.status, hint: hinted.hint } : hinted;
  };

  it.each([
    [
      "quay.io",
      "REFUSED",
      "MANIFEST_INVALID: manifest schema version not supported",
      "ALLOWED_OCI_ARTIFACT_TYPES: {application/vnd.sylabs.sif.config.v1+json: [application/vnd.sylabs.sif.layer.v1.sif]}",
    ],
    [
      "registry.gitlab.com",
      "REFUSED",
      "MANIFEST_INVALID: unknown media type",
      "this GitLab takes only media types that it knows",
    ],
    [
      "1.dkr.ecr.eu-west-1.amazonaws.com",
      "NOT_FOUND",
      "NAME_UNKNOWN: The repository with name 'x' does not exist",
      "aws ecr create-repository",
    ],
    ["harbor.example.org", "NOT_FOUND", "NOT_FOUND: project lab not found", "the project must be made"],
    ["registry.example.org", "REFUSED", "MANIFEST_INVALID: unsupported media type", "--plain-manifest"],
    ["registry.example.org", "NETWORK", "MANIFEST_INVALID", "as it was"],
    ["registry.example.org", "FORBIDDEN", "DENIED", "as it was"],
  ] as const)("at %s after %s %s", (host, code, message, words) => {
    expect(hint(host, code, message)).toEqual({ code, status: 400, hint: expect.stringContaining(words) });
  });

  it("says where Docker Hub and GHCR delete", () => {
    expect(deletionHint("docker.io")).toContain("Docker Hub");
    expect(deletionHint("ghcr.io")).toContain("GHCR");
  });
});
