/** Deletion step by step: what is asked, in which order, and what is left when it goes wrong in the middle. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { capability } from "../../src/registry/registry.ts";
import { type Faults, reply, startFaults } from "../support/faults.ts";
import { failureOf } from "../support/http.ts";
import { type Client, countingSource, ociClient } from "../support/oci-client.ts";
import { DISTRIBUTION_3, GHCR, type Quirks, type QuirkyRegistry, REGISTRY_2, startQuirks } from "../support/quirks.ts";

let registry: QuirkyRegistry;
let faults: Faults;
let client: Client;
const open: { close(): Promise<void> }[] = [];

/** A registry with `lab/tool` under 1.0 and latest, the same image, and 2.0, another. */
async function start(quirks: Quirks): Promise<void> {
  registry = await startQuirks(quirks);
  faults = await startFaults({ upstream: registry.url });
  client = ociClient(faults.url);
  open.push(registry, faults, client);
  await client.push("lab/tool:1.0", countingSource(Buffer.from("one")));
  await client.push("lab/tool:latest", countingSource(Buffer.from("one")));
  await client.push("lab/tool:2.0", countingSource(Buffer.from("two")));
  registry.forget();
}

afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

const remove = (name: string) => capability(client.registry, "delete")(client.reference(name), client.call);
const plan = (name: string) => capability(client.registry, "deletable")(client.reference(name), client.call);
const tags = () => [...registry.content.tags.keys()].sort();
const digest = (name: string): string => registry.content.tags.get(name) ?? "";

describe("of a tag", () => {
  it("is one request where the registry can, and the image stays under its other tag", async () => {
    await start(DISTRIBUTION_3);
    expect(await remove("lab/tool:1.0")).toEqual({ deleted: [`oras://${faults.host}/lab/tool:1.0`] });
    expect(registry.story()).toEqual(["GET lab/tool/manifests/1.0", "DELETE lab/tool/manifests/1.0"]);
    expect(tags()).toEqual(["lab/tool:2.0", "lab/tool:latest"]);
  });

  it("tries, where only digests can be deleted, whether anything can, before the tag is touched", async () => {
    await start(REGISTRY_2);
    await remove("lab/tool:1.0");
    expect(registry.story().filter((line) => /^(PUT|DELETE) lab\/tool\/manifests/.test(line))).toEqual([
      "DELETE lab/tool/manifests/1.0",
      expect.stringMatching(/^PUT lab\/tool\/manifests\/DIGEST \d+$/),
      "DELETE lab/tool/manifests/DIGEST",
      expect.stringMatching(/^PUT lab\/tool\/manifests\/1\.0 \d+$/),
      "DELETE lab/tool/manifests/DIGEST",
    ]);
    expect(tags()).toEqual(["lab/tool:2.0", "lab/tool:latest"]);
    expect(registry.content.manifests.size).toBe(2);
  });

  it("leaves the tag alone when the trial fails", async () => {
    await start(REGISTRY_2);
    const before = digest("lab/tool:1.0");
    faults.on({ method: "DELETE", path: /sha256:/ }, reply(405));
    expect(await failureOf(remove("lab/tool:1.0"))).toMatchObject({
      code: "UNSUPPORTED",
      message: `${faults.host} does not delete (status 405)`,
      hint: expect.stringContaining("REGISTRY_STORAGE_DELETE_ENABLED"),
    });
    expect(digest("lab/tool:1.0")).toBe(before);
  });

  it("leaves nothing behind where nothing is deleted", async () => {
    await start(GHCR);
    expect(await failureOf(remove("lab/tool:1.0"))).toMatchObject({ code: "UNSUPPORTED" });
    expect(registry.story()).toEqual(["GET lab/tool/manifests/1.0", "DELETE lab/tool/manifests/1.0"]);
  });

  it("that may not be deleted names the login", async () => {
    await start(DISTRIBUTION_3);
    faults.on({ method: "DELETE" }, reply(403, { body: '{"errors":[{"code":"DENIED","message":"no"}]}' }));
    expect(await failureOf(remove("lab/tool:1.0"))).toMatchObject({
      code: "FORBIDDEN",
      hint: expect.stringContaining(`sregistry login ${faults.host}`),
    });
    expect(tags()).toContain("lab/tool:1.0");
  });
});

describe.each([
  ["told", {}],
  ["not told", { digestUntold: true }],
] as const)("of a digest, where digests are %s", (_title, quirks) => {
  beforeEach(() => start({ ...REGISTRY_2, ...quirks }));

  it("names every tag that goes with it, before and after", async () => {
    const wanted = digest("lab/tool:1.0");
    const deleted = ["1.0", "latest"].map((tag) => `oras://${faults.host}/lab/tool:${tag}`);
    const expected = { deleted: [...deleted, `oras://${faults.host}/lab/tool@${wanted}`] };
    expect(await plan(`lab/tool@${wanted}`)).toEqual(expected);
    expect(tags()).toHaveLength(3);
    expect(await remove(`lab/tool@${wanted}`)).toEqual(expected);
    expect(tags()).toEqual(["lab/tool:2.0"]);
  });
});
