/** Fetch one image to a file: resolve, download beside the target, verify, rename. */
import { join, resolve as resolvePath } from "node:path";
import type { Call } from "../call.ts";
import type { Digest } from "../reference/digest.ts";
import { formatReference, pullFileName } from "../reference/format.ts";
import type { Reference } from "../reference/reference.ts";
import { downloadToFile } from "../transfer/download.ts";
import type { Services } from "./services.ts";

export interface PullInput {
  readonly reference: Reference;
  /** Target file; default: made from the reference as product.md says. */
  readonly output?: string;
  readonly directory?: string;
  readonly force?: boolean;
  /** Go architecture, for an index with several images. */
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

export async function pull(services: Services, input: PullInput, call: Call): Promise<PullOutcome> {
  const target = targetPath(services.cwd, input);
  const reference = await services.place(input.reference);
  const registry = await services.open(reference);
  call.log.verbose(`pulling ${formatReference(reference)} from ${registry.name}`);
  const image = await registry.resolve(reference, architectureOption(input.architecture), call);
  const result = await downloadToFile({ registry, image, target, force: input.force === true, call });
  const { digest, size, outcome, transferred } = result;
  return { reference: formatReference(input.reference), path: target, digest, size, outcome, transferred };
}

export function architectureOption(architecture: string | undefined): { readonly architecture?: string } {
  return architecture === undefined ? {} : { architecture };
}

function targetPath(cwd: string, { reference, output, directory }: PullInput): string {
  const name = output ?? pullFileName(reference);
  return resolvePath(cwd, directory === undefined ? name : join(directory, name));
}
