/** The path of an image on this machine: the embedded store's own blob, else an entry of the content-addressed cache. */
import { chmod, mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Call } from "../call.ts";
import { SregistryError } from "../errors.ts";
import { type Digest, digestAlgorithm, digestHex } from "../reference/digest.ts";
import { formatReference } from "../reference/format.ts";
import type { Reference } from "../reference/reference.ts";
import { downloadToFile } from "../transfer/download.ts";
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
  const reference = services.place(input.reference);
  const registry = await services.open(reference);
  const image = await registry.resolve(reference, architectureOption(input.architecture), call);
  const { digest } = image;
  if (digest === undefined) {
    throw new SregistryError("UNSUPPORTED", `${registry.name} promises no digest for ${formatReference(reference)}`, {
      hint: "use pull",
    });
  }
  const target = join(services.cacheDirectory, digestAlgorithm(digest), `${digestHex(digest)}.sif`);
  await mkdir(dirname(target), { recursive: true, mode: 0o700 });
  const { path, outcome } = await downloadToFile({ registry, image, target, force: true, call });
  await chmod(path, ENTRY_MODE);
  return { path, digest, outcome };
}
