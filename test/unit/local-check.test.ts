/** A store that a crash, a full disk or a bad disk harmed: what a check says, and what a repair leaves. */
import { chmod, mkdtemp, readdir, readFile, rm, truncate, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterEach, beforeEach, expect, it } from "vitest";
import { silentLog, silentProgress } from "../../src/call.ts";
import { type Digest, digestOf } from "../../src/reference/digest.ts";
import { parseTag } from "../../src/reference/name.ts";
import { checkStore, openStore } from "../../src/registry/local/index.ts";

const call = { signal: new AbortController().signal, progress: silentProgress, log: silentLog };
const MANIFEST = "application/vnd.oci.image.manifest.v1+json";

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "sregistry-check-"));
});
afterEach(() => rm(root, { recursive: true, force: true }));

async function putImage(path: string, layer: string, tag: string, more: object = {}): Promise<Digest> {
  const repository = openStore(root).repository(path);
  for (const content of ["{}", layer]) {
    const upload = await repository.createUpload("sha256", false);
    await upload.append(Readable.from([Buffer.from(content)]));
    await upload.commit(digestOf(content));
  }
  const bytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST,
      config: { mediaType: "application/vnd.sylabs.sif.config.v1+json", size: 2, digest: digestOf("{}") },
      layers: [{ mediaType: "application/vnd.sylabs.sif.layer.v1.sif", size: layer.length, digest: digestOf(layer) }],
      ...more,
    }),
  );
  const put = await repository.putManifest({ bytes, contentType: MANIFEST, tags: [parseTag(tag)] });
  if (put.kind === "missing") throw new Error("blobs are missing");
  return put.digest;
}

const file = (path: string, digest: string): string => join(root, path, "blobs", "sha256", digest.slice(7));
const aside = (path: string, digest: string): string => join(root, path, ".damaged", digest.replace(":", "-"));
const tagsOf = async (path: string): Promise<readonly string[]> =>
  [...((await openStore(root).repository(path).index())?.tags.keys() ?? [])].sort();

async function harm(path: string, digest: string, content: string): Promise<void> {
  await chmod(file(path, digest), 0o644);
  await writeFile(file(path, digest), content);
}

async function check(repair: boolean, minimumAge?: number): Promise<readonly string[]> {
  const age = minimumAge === undefined ? {} : { minimumAge };
  const report = await checkStore(openStore(root), { repair, ...age }, call);
  expect(report.remaining).toBe(repair ? 0 : report.problems.length);
  return report.problems.map(({ message }) => message);
}

/** The same problems without repair, then with it, then none. */
async function repaired(problems: readonly string[], done: readonly string[]): Promise<void> {
  expect(await check(false)).toEqual(problems);
  expect(await check(true)).toEqual(problems.map((problem, index) => `${problem}: ${done[index]}`));
  expect(await check(false)).toEqual([]);
}

it("finds nothing in a store that is well, and counts what it looked at", async () => {
  await putImage("lab/tool", "a SIF", "1.0");
  const report = await checkStore(openStore(root), { repair: false }, call);
  expect(report).toMatchObject({ problems: [], repositories: 1, blobs: 3, remaining: 0 });
  expect(report.summary).toBe("1 repository and 3 blobs checked: all is well");
});

it("sets a damaged blob aside and takes its image off the index; the others stay", async () => {
  const digest = await putImage("lab/tool", "a SIF", "1.0");
  await putImage("lab/tool", "another SIF", "2.0");
  const layer = digestOf("a SIF");
  await harm("lab/tool", layer, "a SI");
  await repaired(
    [
      `lab/tool: blob ${layer} is damaged: its 4 bytes have another digest`,
      `lab/tool: image ${digest} (1.0) lacks ${layer}`,
    ],
    [`set aside as ${aside("lab/tool", layer)}`, "taken off the index: push it again"],
  );
  expect(await readFile(aside("lab/tool", layer), "utf8")).toBe("a SI");
  expect(await tagsOf("lab/tool")).toEqual(["2.0"]);
  await putImage("lab/tool", "a SIF", "1.0");
  expect(await readFile(file("lab/tool", layer), "utf8")).toBe("a SIF");
  expect(await tagsOf("lab/tool")).toEqual(["1.0", "2.0"]);
});

it("puts a damaged or missing blob back from a repository that has it whole", async () => {
  const digest = await putImage("lab/tool", "a SIF", "1.0");
  await putImage("lab/copy", "a SIF", "1.0");
  const [config, layer] = [digestOf("{}"), digestOf("a SIF")];
  await harm("lab/tool", layer, "");
  await unlink(file("lab/tool", config));
  const damaged = `lab/tool: blob ${layer} is damaged: its 0 bytes have another digest`;
  expect(await check(false)).toEqual([damaged, `lab/tool: image ${digest} (1.0) lacks ${config}, ${layer}`]);
  expect(await check(true)).toEqual([
    `${damaged}: set aside as ${aside("lab/tool", layer)}, and put back from another repository`,
    `lab/tool: image ${digest} (1.0) lacks ${config}: put back from another repository`,
  ]);
  expect(await check(false)).toEqual([]);
  expect(await tagsOf("lab/tool")).toEqual(["1.0"]);
  expect(await readFile(file("lab/tool", layer), "utf8")).toBe("a SIF");
});

it("drops an index entry whose manifest is gone, tags and all", async () => {
  const digest = await putImage("lab/tool", "a SIF", "1.0");
  await openStore(root)
    .repository("lab/tool")
    .tag(digest, [parseTag("latest")]);
  await unlink(file("lab/tool", digest));
  await repaired([`lab/tool: image ${digest} (1.0, latest) lacks ${digest}`], ["taken off the index: push it again"]);
  expect(await tagsOf("lab/tool")).toEqual([]);
});

it("makes a torn or lost index again from the manifests, and a lost marker", async () => {
  const digest = await putImage("lab/tool", "a SIF", "1.0");
  await truncate(join(root, "lab/tool/index.json"), 10);
  expect(await check(false)).toEqual(["lab/tool: index.json cannot be read"]);
  expect(await check(true)).toEqual([
    expect.stringMatching(
      /^lab\/tool: index.json cannot be read: made again with 1 manifests by digest, their tags are lost; the old one is .*\/\.damaged\/index\.json-\d+$/,
    ),
  ]);
  expect((await openStore(root).repository("lab/tool").manifest(digest))?.digest).toBe(digest);
  await unlink(join(root, "lab/tool/index.json"));
  await repaired(["lab/tool: index.json is missing"], ["made again with 1 manifests by digest, their tags are lost"]);
  await unlink(join(root, "lab/tool/oci-layout"));
  await repaired(["lab/tool: oci-layout is missing, so that other tools do not see a layout"], ["written"]);
});

it("makes the referrers again", async () => {
  const image = await putImage("lab/tool", "a SIF", "1.0");
  const subject = { mediaType: MANIFEST, size: 1, digest: image };
  const signature = await putImage("lab/tool", "signature", "sig", { subject, artifactType: "application/x.sig" });
  const repository = openStore(root).repository("lab/tool");
  const before = await repository.referrers(image);
  expect(before).toMatchObject([{ digest: signature, artifactType: "application/x.sig" }]);
  const folder = join(root, "lab/tool/.referrers", image.replace(":", "-"));
  await rm(folder, { recursive: true });
  await repaired([`lab/tool: the referrers of ${image} lack ${signature}`], ["entered"]);
  expect(await repository.referrers(image)).toEqual(before);
  const gone = digestOf("gone");
  await writeFile(join(folder, gone.replace(":", "-")), "{}");
  expect(await repository.referrers(image)).toEqual(before);
  expect(await check(false)).toEqual([]);
  expect(await check(true, 0)).toEqual([
    `lab/tool: the referrers of ${image} name ${gone}, which is not here: removed`,
  ]);
  expect(await readdir(folder)).toEqual([signature.replace(":", "-")]);
});

it("removes blobs that no manifest needs, when nobody can be about to name them", async () => {
  const digest = await putImage("lab/tool", "a SIF", "1.0");
  await putImage("lab/tool", "another SIF", "2.0");
  await openStore(root).repository("lab/tool").deleteManifest(digest);
  expect(await check(true)).toEqual([]);
  expect(await check(true, 0)).toEqual(["lab/tool: no manifest needs 1 blob of 5 bytes: 1 removed"]);
  expect(await check(true, 0)).toEqual([]);
  expect(await tagsOf("lab/tool")).toEqual(["2.0"]);
});

it("removes no blob while a manifest is there that it cannot read", async () => {
  await putImage("lab/tool", "a SIF", "1.0");
  const repository = openStore(root).repository("lab/tool");
  const upload = await repository.createUpload("sha256", false);
  const schema1 = JSON.stringify({ schemaVersion: 1, fsLayers: [] });
  await upload.append(Readable.from([Buffer.from(schema1)]));
  await upload.commit(digestOf(schema1));
  const path = join(root, "lab/tool/index.json");
  const index = JSON.parse(await readFile(path, "utf8"));
  index.manifests.push({ mediaType: "application/json", digest: digestOf(schema1), size: schema1.length });
  await writeFile(path, JSON.stringify(index));
  const other = await repository.createUpload("sha256", false);
  await other.append(Readable.from([Buffer.from("unrelated")]));
  await other.commit(digestOf("unrelated"));
  expect(await check(true, 0)).toEqual([]);
  expect(await readFile(file("lab/tool", digestOf("unrelated")), "utf8")).toBe("unrelated");
});

it("removes temporary files and resting uploads, and leaves an upload that may go on", async () => {
  await putImage("lab/tool", "a SIF", "1.0");
  const name = ".index.json.6f9619ff-8b86-4011-b42d-00cf4fc964ff.tmp";
  await writeFile(join(root, "lab/tool", name), "{");
  const upload = await openStore(root).repository("lab/tool").createUpload("sha256", false);
  await upload.append(Readable.from([Buffer.from("abc")]));
  expect(await check(true)).toEqual([]);
  expect(await check(true, 0)).toEqual([
    "lab/tool: an upload of 3 bytes was left unfinished: removed",
    `lab/tool: ${join(root, "lab/tool", name)} was left behind: removed`,
  ]);
  expect(await upload.size()).toBeUndefined();
});

it("stops when it is told to", async () => {
  await putImage("lab/tool", "a SIF", "1.0");
  const signal = AbortSignal.abort(new Error("enough"));
  await expect(checkStore(openStore(root), { repair: true }, { ...call, signal })).rejects.toThrow("enough");
});
