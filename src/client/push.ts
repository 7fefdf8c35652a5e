/** Send one file: read what it says of itself, then the endpoint's own steps. A file that is no SIF is refused first. */
import { basename, resolve as resolvePath } from "node:path";
import type { Call } from "../call.ts";
import type { ImageMetadata } from "../image/metadata.ts";
import { readImageMetadata } from "../image/read.ts";
import type { Digest } from "../reference/digest.ts";
import { formatReference } from "../reference/format.ts";
import type { PlacedReference, Reference, Tag } from "../reference/reference.ts";
import { capability, type PushResult, type Quota } from "../registry/registry.ts";
import { fileReader, openFileSource } from "../transfer/file-source.ts";
import type { Source } from "../transfer/source.ts";
import { aboutImage } from "./about-image.ts";
import { withTag } from "./placement.ts";
import type { Services } from "./services.ts";
import { requireSignature } from "./signature.ts";

export interface PushInput {
  readonly file: string;
  readonly reference: Reference;
  /** Every tag to set instead of the reference's own. */
  readonly tags?: readonly Tag[];
  readonly description?: string;
  /** Send a file that is no SIF. */
  readonly anyFile?: boolean;
  /** Send an unsigned image to an endpoint that asks for a signature. */
  readonly allowUnsigned?: boolean;
  readonly plainManifest?: boolean;
}

/** What a push would do: `--dry-run` prints it, a push carries it out. */
export interface PushPlan {
  readonly file: string;
  readonly source: Source;
  readonly metadata: ImageMetadata | undefined;
  readonly reference: PlacedReference;
  readonly tags: readonly Tag[];
  /** `reference` under each tag. */
  readonly references: readonly string[];
}

export interface PushOutcome {
  readonly references: readonly string[];
  /** The reference pinned by digest. */
  readonly pinned: string;
  readonly digest: Digest;
  readonly manifest: Digest | undefined;
  readonly size: number;
  readonly transfer: PushResult["transfer"];
  readonly quota: Quota | undefined;
  /** The container's page for people. */
  readonly page: string | undefined;
}

/** @throws SregistryError IMAGE_INVALID for a file that is no whole SIF, unless `anyFile`. No request is made. */
export async function planPush(services: Services, input: PushInput): Promise<PushPlan> {
  const file = resolvePath(services.cwd, input.file);
  const source = await openFileSource(file, services.digestMemo);
  const metadata = input.anyFile === true ? undefined : await metadataOfFile(file);
  const placed = await services.place(input.reference);
  const tags = input.tags ?? tagsOf(placed);
  const reference = tags[0] === undefined ? placed : withTag(placed, tags[0]);
  const references = tags.map((tag) => formatReference(withTag(reference, tag)));
  return { file, source, metadata, reference, tags, references };
}

/** `library://path:a,b` names several. */
function tagsOf({ selector, ...reference }: PlacedReference): readonly Tag[] {
  if (selector.kind !== "tag") return [];
  return reference.scheme === "library" && reference.tags !== undefined ? reference.tags : [selector.tag];
}

async function metadataOfFile(file: string): Promise<ImageMetadata> {
  await using reader = await fileReader(file);
  return await readImageMetadata(reader);
}

export async function push(services: Services, input: PushInput, outer: Call): Promise<PushOutcome> {
  const call = aboutImage(outer, input.reference);
  const plan = await planPush(services, input);
  const { reference, source, tags, metadata } = plan;
  const registry = await services.open(reference);
  call.log.verbose(`pushing ${plan.file} (${source.size} bytes) to ${registry.name}`);
  const send = capability(registry, "push");
  if (registry.signedOnly === true && input.allowUnsigned !== true) await requireSignature(plan.file, call);
  const result = await send(
    {
      reference,
      tags,
      source,
      title: basename(plan.file),
      metadata,
      plainManifest: input.plainManifest === true,
      ...(input.description === undefined ? {} : { description: input.description }),
    },
    call,
  );
  const pin = result.manifest ?? result.digest;
  return {
    references: result.tags.map((tag) => formatReference(withTag(reference, tag))),
    pinned: formatReference({ ...reference, selector: { kind: "digest", digest: pin } }),
    digest: result.digest,
    manifest: result.manifest,
    size: source.size,
    transfer: result.transfer,
    quota: result.quota,
    page: result.page,
  };
}
