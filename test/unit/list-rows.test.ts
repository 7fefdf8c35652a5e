/** What `list` asks an endpoint, and what it makes of the answers. */
import { expect, it } from "vitest";
import { type Log, silentLog, silentProgress } from "../../src/call.ts";
import type { ListColumn } from "../../src/client/list-columns.ts";
import { listRows } from "../../src/client/list-rows.ts";
import { placePath } from "../../src/client/placement.ts";
import type { Services } from "../../src/client/services.ts";
import { usage } from "../../src/client/usage.ts";
import { SregistryError } from "../../src/errors.ts";
import { digestOf } from "../../src/reference/digest.ts";
import { parseRepoPath, parseTag } from "../../src/reference/name.ts";
import type { Registry } from "../../src/registry/registry.ts";
import { failureOf } from "../support/http.ts";

/** Of so many tags, of which some do not answer. */
function endpoint(count: number, failures: Readonly<Record<string, SregistryError>> = {}) {
  const asked: string[] = [];
  const most = { atOnce: 0, now: 0 };
  const registry: Registry = {
    name: "the registry",
    async resolve(reference, { architecture }) {
      const tag = reference.selector.kind === "tag" ? reference.selector.tag : "";
      asked.push(architecture === undefined ? tag : `${tag} for ${architecture}`);
      most.now += 1;
      most.atOnce = Math.max(most.atOnce, most.now);
      // The later ones answer first.
      await new Promise((done) => setTimeout(done, Math.max(0, 10 - Number(tag.slice(1)))));
      most.now -= 1;
      const failure = failures[architecture === undefined ? tag : `${tag} for ${architecture}`];
      if (failure !== undefined) throw failure;
      const size = (Number(tag.slice(1)) * 7) % 5;
      return {
        ...{ reference, size, digest: digestOf(String(size)), mediaType: undefined, annotations: {} },
        ...{ architecture: architecture ?? "riscv64", created: "2026-11-21T10:00:00Z" },
      };
    },
    read: () => Promise.reject(new Error("not asked")),
    can: {
      async *repositories() {
        yield parseRepoPath("lab/app");
      },
      async *tags() {
        for (let at = 0; at < count; at += 1) {
          asked.push(`tag ${at}`);
          yield parseTag(`t${at}`);
        }
      },
    },
  };
  const part: Pick<Services, "openFor" | "open" | "placement"> = {
    openFor: async () => registry,
    open: async () => registry,
    placement: async () => ({
      at: (path: ReturnType<typeof parseRepoPath>) => placePath({}, path, { kind: "local" }),
      shown: (reference: ReturnType<typeof placePath>) => reference,
      below: (path: ReturnType<typeof parseRepoPath>) => path,
    }),
  };
  return { services: part as Services, asked, most };
}

const warnings: string[] = [];
const log: Log = { ...silentLog, warn: (text) => warnings.push(text) };
const call = { signal: new AbortController().signal, progress: silentProgress, log };

async function rows(services: Services, columns: readonly ListColumn[], more: object = {}) {
  warnings.length = 0;
  const found: unknown[] = [];
  for await (const row of listRows(services, { pattern: {}, columns, ...more }, call)) {
    found.push("image" in row ? Object.values(row.image).join(" ") : row.name);
  }
  return found;
}

const notFound = new SregistryError("NOT_FOUND", "lab/app:t1 is not there for this machine");

it("names ask for no image, and a limit for no name more", async () => {
  const { services, asked } = endpoint(1000);
  expect(await rows(services, ["tag"], { limit: 3 })).toEqual(["t0", "t1", "t2"]);
  expect(asked).toEqual(["tag 0", "tag 1", "tag 2"]);
});

it("images are asked several at a time, never more, and come in the order of the list", async () => {
  const { services, most } = endpoint(30);
  expect(await rows(services, ["tag", "size"])).toEqual(
    Array.from({ length: 30 }, (_, at) => `t${at} ${(at * 7) % 5}`),
  );
  expect(most.atOnce).toBeGreaterThan(1);
  expect(most.atOnce).toBeLessThanOrEqual(8);
});

it("sorted by what is asked, those of one size by their names", async () => {
  const { services } = endpoint(6);
  expect(await rows(services, ["tag"], { sort: { column: "size", descending: true }, limit: 3 })).toEqual([
    ...["t2", "t4", "t1"],
  ]);
});

it("an image that is not for this machine is told as it is for another", async () => {
  const { services, asked } = endpoint(2, { t1: notFound, "t1 for amd64": notFound });
  expect(await rows(services, ["tag", "arch"])).toEqual(["t0 riscv64", "t1 arm64"]);
  expect(asked.filter((one) => one.startsWith("t1"))).toEqual(["t1", "t1 for amd64", "t1 for arm64"]);
  expect(warnings).toEqual([]);
});

it("what cannot be read is last in either order, and told in one warning", async () => {
  const refused = new SregistryError("FORBIDDEN", "no");
  const { services } = endpoint(3, { t0: refused, t2: refused });
  for (const descending of [true, false]) {
    expect(await rows(services, ["tag", "size"], { sort: { column: "size", descending } })).toEqual([
      ...["t1 2", "t0 ", "t2 "],
    ]);
    expect(warnings).toEqual(["2 of 3 images could not be read (-v tells of each): local://lab/app:t0: no"]);
  }
});

it("a network that is down is no row of dashes", async () => {
  const { services } = endpoint(3, { t1: new SregistryError("NETWORK", "nobody answers") });
  expect(await failureOf(rows(services, ["size"]))).toMatchObject({ code: "NETWORK" });
});

it("usage of 10,000 tags counts each image once", async () => {
  const { services } = endpoint(10_000);
  const found = await usage(services, {}, {}, call);
  expect(found.total).toEqual({
    ...{ collections: 1, containers: 1, tags: 10_000, images: 5, unknown: 0 },
    ...{ size: 10, tagged: 20_000 },
  });
});
