/** Fetch one image to a file: resolve, download beside the target, verify, rename. */
import { join, resolve as resolvePath } from "node:path";
import type { Call } from "../call.ts";
import { SregistryError } from "../errors.ts";
import { askedArchitecture } from "../image/architecture.ts";
import type { Digest } from "../reference/digest.ts";
import { formatReference, pullFileName } from "../reference/format.ts";
import type { Reference } from "../reference/reference.ts";
import type { ImageInfo } from "../registry/registry.ts";
import { downloadToFile } from "../transfer/download.ts";
import type { Services } from "./services.ts";

export interface PullInput {
  readonly reference: Reference;
  /** Target file; default: made from the reference as product.md says. */
  readonly output?: string;
  readonly directory?: string;
  readonly force?: boolean;
  /** By Go's name or that of `uname -m`: which one, where a name stands for several; an image for another is refused. */
  readonly architecture?: string;
}

export interface PullOutcome {
  readonly reference: string;
  /** Absolute. */
  readonly path: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly outcome: "downloaded" | "resumed" | "present";
  /** Bytes that came over the wire in this run. */
  readonly transferred: number;
}

/** @throws SregistryError NOT_FOUND where there is no image for the architecture that was asked for. */
export async function pull(
  services: Pick<Services, "cwd" | "place" | "open">,
  input: PullInput,
  call: Call,
): Promise<PullOutcome> {
  const target = targetPath(services.cwd, input);
  const reference = await services.place(input.reference);
  const registry = await services.open(reference);
  call.log.verbose(`pulling ${formatReference(reference)} from ${registry.name}`);
  const asked = architectureOption(input.architecture);
  const image = await registry.resolve(reference, asked, call);
  requireArchitecture(image, asked.architecture, registry.name);
  const result = await downloadToFile({ registry, image, target, force: input.force === true, call });
  const { digest, size, outcome, transferred } = result;
  return { reference: formatReference(input.reference), path: target, digest, size, outcome, transferred };
}

export function architectureOption(architecture: string | undefined): { readonly architecture?: string } {
  return architecture === undefined ? {} : { architecture: askedArchitecture(architecture) };
}

/** Where a name stands for one image only, endpoints give that one whatever is asked for. */
function requireArchitecture(
  { reference, architecture }: ImageInfo,
  asked: string | undefined,
  endpoint: string,
): void {
  if (asked === undefined || architecture === undefined || asked.split("/")[0] === architecture) return;
  throw new SregistryError(
    "NOT_FOUND",
    `${formatReference(reference)} is an image for ${architecture}, as ${endpoint} says, and ${asked} was asked for`,
    // Singularity Registry Server 2.1 keeps no architectures, and says amd64 of every image.
    { hint: "to pull it as it is, leave --arch (SINGULARITY_PULL_ARCH, SINGULARITY_ARCH) away" },
  );
}

function targetPath(cwd: string, { reference, output, directory }: PullInput): string {
  const name = output ?? pullFileName(reference);
  return resolvePath(cwd, directory === undefined ? name : join(directory, name));
}
