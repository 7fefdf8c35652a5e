/** What `list` makes of an endpoint's catalogue: names without a tag, and collections without an image. */
import { expect, it } from "vitest";
import { silentLog, silentProgress } from "../../src/call.ts";
import { list, listAll } from "../../src/client/list.ts";
import { placePath } from "../../src/client/placement.ts";
import { SregistryError } from "../../src/errors.ts";
import { parseRepoPath, parseTag } from "../../src/reference/name.ts";
import { parsePattern } from "../../src/reference/pattern.ts";
import type { Registry } from "../../src/registry/registry.ts";
import { failureOf } from "../support/http.ts";

const call = { signal: new AbortController().signal, progress: silentProgress, log: silentLog };

/** An endpoint that names two containers, of which one has nothing any more, and two collections with none. */
const registry: Registry = {
  name: "the registry",
  resolve: () => Promise.reject(new Error("not asked")),
  read: () => Promise.reject(new Error("not asked")),
  can: {
    async *repositories() {
      yield parseRepoPath("lab/gone");
      yield parseRepoPath("lab/app");
    },
    async *tags(path) {
      if (path === "lab/gone") throw new SregistryError("NOT_FOUND", "the registry has no container lab/gone");
      yield parseTag("1.0");
    },
    emptyCollections: async () => ["dinosaur", "lab2"],
  },
};

const services = {
  openFor: async () => registry,
  placement: async () => ({
    at: (path: ReturnType<typeof parseRepoPath>) => placePath({}, path, { kind: "local" }),
    shown: (reference: ReturnType<typeof placePath>) => reference,
    below: (path: ReturnType<typeof parseRepoPath>) => path,
  }),
};

async function names(pattern?: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name } of listAll(services, parsePattern(pattern), call)) found.push(name);
  return found;
}

it("a container that lost its last tag ends no list, though the catalogue names it and the registry has none", async () => {
  expect(await names()).toEqual(["local://lab/app:1.0", "dinosaur/", "lab2/"]);
  expect(await names("lab")).toEqual(["local://lab/app:1.0"]);
});

it("an empty collection that is asked for is there, and what is not there is not", async () => {
  expect(await names("dinosaur")).toEqual(["dinosaur/"]);
  for (const pattern of ["dino", "/dinosaur", "lab/gone"]) {
    expect(await failureOf(names(pattern))).toMatchObject({ code: "NOT_FOUND" });
  }
});

it("labels and searches see images alone", async () => {
  const found: string[] = [];
  for await (const { name } of list(services, {}, call)) found.push(name);
  expect(found).toEqual(["local://lab/app:1.0"]);
});
