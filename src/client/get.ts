/** The path of an image on this machine: the embedded store's own blob, else an entry of the content-addressed cache. */
import { chmod, mkdir, open } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Call } from "../call.ts";
import { SregistryError } from "../errors.ts";
import { type Digest, digestAlgorithm, digestHex, isDigest } from "../reference/digest.ts";
import { formatReference } from "../reference/format.ts";
import type { PlacedReference, Reference } from "../reference/reference.ts";
import { writeFileAtomic } from "../transfer/atomic.ts";
import { diskError, present } from "../transfer/disk.ts";
import { downloadToFile } from "../transfer/download.ts";
import { digestOfFile } from "../transfer/hash-file.ts";
import { readSmallFile } from "../transfer/small-file.ts";
import { architectureOption } from "./pull.ts";
import type { Services } from "./services.ts";

export interface GetOutcome {
  readonly path: string;
  readonly digest: Digest;
  readonly outcome: "downloaded" | "resumed" | "present";
}

/** Cache entries are read-only and executable: a SIF is run, and nobody may change one that others use. */
const ENTRY_MODE = 0o555;

export async function get(
  services: Services,
  input: { readonly reference: Reference; readonly architecture?: string },
  call: Call,
): Promise<GetOutcome> {
  const reference = await services.place(input.reference);
  const known = await cachedPin(services, reference, call);
  if (known !== undefined) return known;
  const registry = await services.open(reference);
  const image = await registry.resolve(reference, architectureOption(input.architecture), call);
  const { digest } = image;
  if (digest === undefined) {
    throw new SregistryError("UNSUPPORTED", `${registry.name} promises no digest for ${formatReference(reference)}`, {
      hint: "use pull",
    });
  }
  const target = entryPath(services, digest);
  await makeDirectory(dirname(target));
  const { path, outcome } = await downloadToFile({ registry, image, target, force: true, call });
  await chmod(path, ENTRY_MODE);
  if (image.manifest !== undefined) await writeFileAtomic(pinPath(services, image.manifest), `${digest}\n`);
  return { path, digest, outcome };
}

function entryPath(services: Services, digest: Digest): string {
  return join(services.cacheDirectory, digestAlgorithm(digest), `${digestHex(digest)}.sif`);
}

/** Beside the entries: which image a manifest's digest stands for. */
function pinPath(services: Services, manifest: Digest): string {
  return join(services.cacheDirectory, digestAlgorithm(manifest), `${digestHex(manifest)}.manifest`);
}

/** A reference pinned by digest that is in the cache needs no request; the entry is hashed before it is given out. */
async function cachedPin(
  services: Services,
  { selector }: PlacedReference,
  { signal }: Call,
): Promise<GetOutcome | undefined> {
  if (selector.kind !== "digest") return undefined;
  const text = (await readSmallFile(pinPath(services, selector.digest)))?.text.trim() ?? "";
  const digest = isDigest(text) ? text : selector.digest;
  const path = entryPath(services, digest);
  const file = await present(open(path, "r"));
  if (file === undefined) return undefined;
  try {
    const { size } = await file.stat();
    const found = await digestOfFile(file, size, digestAlgorithm(digest), { name: path, signal });
    return found === digest ? { path, digest, outcome: "present" } : undefined;
  } finally {
    await file.close();
  }
}

async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw diskError(path, error);
  }
}
