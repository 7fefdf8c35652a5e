/** One image, or all tags of a repository, from any endpoint to any other; nothing touches the disk on the way. */
import type { Call } from "../call.ts";
import { isCode, SregistryError } from "../errors.ts";
import { askedArchitecture } from "../image/architecture.ts";
import type { Digest } from "../reference/digest.ts";
import { formatReference } from "../reference/format.ts";
import type { PlacedReference, Reference, Tag } from "../reference/reference.ts";
import { capability, type ImageInfo } from "../registry/registry.ts";
import { type ContentEnd, contentEnd, DocumentCopy } from "./copy-documents.ts";
import { type Held, ImageCopy } from "./copy-image.ts";
import { at, type End } from "./copy-sides.ts";
import { ahead } from "./copy-together.ts";
import { withTag } from "./placement.ts";
import type { Services } from "./services.ts";

/** What a copy needs of them. */
export type CopyServices = Pick<Services, "place" | "open">;

export interface CopyOptions {
  /** By Go's name or that of `uname -m`: the one image of an index, or which one where a name stands for several. */
  readonly architecture?: string;
  /** Send an unsigned image to an endpoint that asks for a signature. */
  readonly allowUnsigned?: boolean;
  /** Push a file that is no SIF. */
  readonly anyFile?: boolean;
  /** Between OCI endpoints: what is attached to the image by a `subject` goes with it. */
  readonly referrers?: boolean;
  /** Ask, and change nothing. */
  readonly dryRun?: boolean;
}

export interface CopyInput extends CopyOptions {
  readonly source: Reference;
  /** A repository: which tags are set, `tags` says. */
  readonly destination: Reference;
  /** Every tag to set; default: the source's own, and none for a source that is named by digest. */
  readonly tags?: readonly Tag[];
}

export interface CopyOutcome {
  readonly source: string;
  /** Each tag at the destination. */
  readonly references: readonly string[];
  /** The destination pinned by digest; undefined where a dry run cannot know it. */
  readonly pinned: string | undefined;
  /** `same`: every tag named it already. `updated`: one that named something else was moved. */
  readonly outcome: "copied" | "updated" | "same";
  /** Bytes of the image that were read from the source. */
  readonly transferred: number;
}

export async function copy(services: CopyServices, input: CopyInput, call: Call): Promise<CopyOutcome> {
  const [from, to] = await ends(services, input, call);
  const { selector } = from.reference;
  const tags = input.tags ?? (selector.kind === "tag" ? [selector.tag] : []);
  const carryOut = await planCopy(from, to, [...new Set(tags)], input, new Map(), call);
  return carryOut();
}

export interface CopyAllInput extends CopyOptions {
  /** Repositories: their tags do not count. */
  readonly source: Reference;
  readonly destination: Reference;
  /** These alone. */
  readonly tags?: readonly Tag[];
}

export type CopyEntry = { readonly tag: Tag } & (
  | ({ readonly failed: undefined } & CopyOutcome)
  | { readonly failed: SregistryError }
);

/** Tags that both sides are asked about while an earlier one is copied: a mirror that is up to date is quickly through. */
const ASKED_AHEAD = 6;

/** Tags in a row that fail for the network's sake, after all retries, before the rest is left for another time. */
const MOST_IN_A_ROW = 3;

/**
 * One entry a tag as it is done. A tag that fails is told and does not stop the others, unless they would fail alike: a login,
 * a full disk, a server that is gone.
 */
export async function* copyAll(services: CopyServices, input: CopyAllInput, call: Call): AsyncGenerator<CopyEntry> {
  const [from, to] = await ends(services, input, call);
  const known = new Map<Digest, Tag>();
  const plan = (tag: Tag): Promise<CarryOut> =>
    planCopy({ ...from, reference: withTag(from.reference, tag) }, to, [tag], input, known, call);
  let inARow = 0;
  for await (const { item: tag, result } of ahead(tagsToCopy(from, input.tags, call), ASKED_AHEAD, plan)) {
    try {
      const carryOut = await result;
      yield { tag, failed: undefined, ...(await carryOut()) };
      inARow = 0;
    } catch (error) {
      if (call.signal.aborted || !(error instanceof SregistryError) || isCode(error, "INTERNAL", "USAGE")) throw error;
      yield { tag, failed: error };
      inARow = isCode(error, "NETWORK", "TIMEOUT", "SERVER_ERROR") ? inARow + 1 : 0;
      if (inARow < MOST_IN_A_ROW && !isCode(error, "UNAUTHORIZED", "DISK")) continue;
      call.log.warn("the other tags are left: they would fail alike");
      return;
    }
  }
}

async function* tagsToCopy(from: End, wanted: readonly Tag[] | undefined, call: Call): AsyncGenerator<Tag> {
  if (wanted !== undefined) return yield* new Set(wanted);
  try {
    yield* capability(from.registry, "tags")(from.reference.path, call);
  } catch (error) {
    await at("source", call, Promise.reject(error));
  }
}

async function ends(
  services: CopyServices,
  { source, destination }: Pick<CopyInput, "source" | "destination">,
  call: Call,
): Promise<readonly [End, End]> {
  const open = async (named: Reference): Promise<End> => {
    const reference = await services.place(named);
    return { reference, registry: await services.open(reference, "one of two") };
  };
  const from = await at("source", call, open(source));
  const to = await at("destination", call, open(destination));
  call.log.verbose(`copying from ${from.registry.name} to ${to.registry.name}`);
  return [from, to];
}

/** What is left to do once both sides have been asked. */
type CarryOut = () => Promise<CopyOutcome>;

/** `known`: images that the destination was given before, by a tag of theirs. */
async function planCopy(
  from: End,
  to: End,
  tags: readonly Tag[],
  options: CopyOptions,
  known: Map<Digest, Tag>,
  call: Call,
): Promise<CarryOut> {
  const [here, there] = [contentEnd(from), contentEnd(to)];
  if (here !== undefined && there !== undefined) return planDocuments(here, there, tags, options, call);
  if (options.referrers === true) {
    throw new SregistryError("UNSUPPORTED", `what is attached to an image goes between OCI endpoints only`, {
      hint: "leave --referrers out",
    });
  }
  return planImage(from, to, tags, options, known, call);
}

interface Plan {
  readonly outcome: CopyOutcome["outcome"];
  /** Tags to set. */
  readonly changing: readonly Tag[];
}

/** `holds`: what each tag stands for at the destination. */
function planOf<T>(
  tags: readonly Tag[],
  holds: ReadonlyMap<Tag, T | undefined>,
  isSame: (held: T | undefined) => boolean,
): Plan {
  const changing = tags.filter((tag) => !isSame(holds.get(tag)));
  if (tags.length > 0 && changing.length === 0) return { outcome: "same", changing };
  return { outcome: changing.some((tag) => holds.get(tag) !== undefined) ? "updated" : "copied", changing };
}

async function holdings<T>(tags: readonly Tag[], there: (tag: Tag) => Promise<T>): Promise<ReadonlyMap<Tag, T>> {
  const holds = new Map<Tag, T>();
  for (const tag of tags) holds.set(tag, await there(tag));
  return holds;
}

async function planDocuments(
  from: ContentEnd,
  to: ContentEnd,
  tags: readonly Tag[],
  { architecture: asked, referrers, dryRun }: CopyOptions,
  call: Call,
): Promise<CarryOut> {
  const documents = new DocumentCopy(from, to, call);
  const architecture = asked === undefined ? undefined : askedArchitecture(asked);
  const named = architecture === undefined ? await documents.named() : undefined;
  const early = named === undefined ? await documents.document(undefined, architecture) : undefined;
  const digest = early?.digest ?? named;
  const holds = await holdings(tags, (tag) => documents.there(tag));
  const { outcome, changing } = planOf(tags, holds, (held) => held !== undefined && held === digest);
  const done = (): CopyOutcome => described(from, to, tags, { outcome, digest, transferred: documents.transferred });
  if (dryRun === true || (outcome === "same" && referrers !== true)) return async () => done();
  return async () => {
    const made = early ?? (await documents.document(digest, undefined));
    if (outcome !== "same") await documents.below(made.document);
    if (referrers === true || tags.length === 0) {
      await documents.put(made.digest, made);
      if (referrers === true) await documents.referrers(made);
    }
    for (const tag of changing) await documents.put(tag, made);
    return done();
  };
}

async function planImage(
  from: End,
  to: End,
  tags: readonly Tag[],
  options: CopyOptions,
  known: Map<Digest, Tag>,
  call: Call,
): Promise<CarryOut> {
  const { architecture: asked, anyFile = false, allowUnsigned = false } = options;
  const architecture = asked === undefined ? undefined : askedArchitecture(asked);
  const images = new ImageCopy(from, to, { architecture, anyFile, allowUnsigned }, call);
  const image = await images.resolve();
  const { digest } = image;
  const isThis = (held: Held): held is ImageInfo => held !== "other" && held?.digest === digest && digest !== undefined;
  const look = async (as: string | undefined) => {
    const holds = await holdings(tags, (tag) => images.there(tag, as));
    return { ...planOf(tags, holds, isThis), held: [...holds.values()].find(isThis) };
  };
  let plan = await look(image.architecture ?? architecture);
  const done = (pinned: Digest | undefined, transferred = 0): CopyOutcome =>
    described(from, to, tags, { outcome: plan.outcome, digest: pinned, transferred });
  if (plan.outcome === "same") return async () => done(pinOf(plan.held));
  const contents = await images.contents(image);
  // What a library's tag stands for depends on the architecture, which the image alone may know.
  if (image.architecture === undefined && contents.isForeign) plan = await look(contents.metadata?.architecture);
  if (plan.outcome === "same" || options.dryRun === true) return async () => done(pinOf(plan.held));
  return async () => {
    const before = digest === undefined ? undefined : known.get(digest);
    const there = plan.held ?? (before && (await images.there(before, contents.metadata?.architecture)));
    if (isThis(there) && (await images.nameAgain(there, plan.changing))) return done(there.digest);
    const sent = await images.send(image, contents, plan.changing);
    const [first] = tags;
    if (digest !== undefined && first !== undefined) known.set(digest, first);
    return done(sent.pin, sent.transferred);
  };
}

function pinOf(held: ImageInfo | undefined): Digest | undefined {
  return held?.manifest ?? held?.digest;
}

function described(
  from: End,
  to: End,
  tags: readonly Tag[],
  {
    outcome,
    digest,
    transferred,
  }: { readonly outcome: CopyOutcome["outcome"]; readonly digest: Digest | undefined; readonly transferred: number },
): CopyOutcome {
  const pinned = digest === undefined ? undefined : formatReference(pinnedTo(to.reference, digest));
  return {
    source: formatReference(from.reference),
    references: tags.map((tag) => formatReference(withTag(to.reference, tag))),
    pinned,
    outcome,
    transferred,
  };
}

function pinnedTo(reference: PlacedReference, digest: Digest): PlacedReference {
  return { ...reference, selector: { kind: "digest", digest } };
}
