/** `library://`: Sylabs cloud, Hinkskalle, Singularity Registry Server, and our own server, through one protocol. */
import type { Call } from "../../call.ts";
import { SregistryError } from "../../errors.ts";
import type { RetryLimits } from "../../http/retry-policy.ts";
import type { Transport } from "../../http/transport.ts";
import { hostArchitecture } from "../../image/architecture.ts";
import { formatReference } from "../../reference/format.ts";
import type { PlacedReference, Tag } from "../../reference/reference.ts";
import type { Secret } from "../../secret.ts";
import { noUploadSessions, type UploadSessions } from "../../transfer/upload-session.ts";
import type { ImageInfo, Registry, ResolveOptions } from "../registry.ts";
import { tokenLogin } from "../token-login.ts";
import { createLibraryApi } from "./api.ts";
import { deletable, remove } from "./delete.ts";
import { createDirect } from "./direct.ts";
import { repositoriesOf, tagsOf } from "./lists.ts";
import { makePlace, pushPath } from "./place.ts";
import { imageFor, push, requireFindable } from "./push.ts";
import { type Found, findImage, imageInfo, learnSize, readImage } from "./read.ts";
import { search } from "./search.ts";
import { nameRow } from "./tags.ts";

export interface LibraryOptions {
  /** For messages; default: the host. */
  readonly name?: string;
  /** Root of the library API; may have a path. */
  readonly base: URL;
  /** What the user named: pages for people are there. */
  readonly front: URL;
  /** What to type for a login there; default: that of a remote which may have to be made first. */
  readonly login?: string;
  /** Carries the token of the base's origin, if there is one. */
  readonly transport: Transport;
  /** Entity of pushes that name none; undefined: the library is asked whose the token is. */
  readonly entity?: string;
  /** Makes an OCI registry for images that the library keeps in one; undefined: never asked for. */
  readonly ociDirect?: (url: URL, token: Secret) => Registry;
  readonly sessions?: UploadSessions;
  /** Bytes; larger images are pushed in parts. Default: 64 MiB, as SingularityCE. */
  readonly multipartAbove?: number;
  readonly retry?: Partial<RetryLimits>;
}

export function createLibraryRegistry(options: LibraryOptions): Registry {
  const { base, front, transport, entity, sessions = noUploadSessions, retry } = options;
  const { multipartAbove = 64 * 1024 * 1024 } = options;
  const name = options.name ?? `library ${base.host}`;
  const api = createLibraryApi({ name, base, front, login: options.login ?? tokenLogin(front), transport, retry });
  const direct = createDirect(api, options.ociDirect);
  const known = new WeakMap<ImageInfo, Found>();

  async function resolve(reference: PlacedReference, choice: ResolveOptions, call: Call): Promise<ImageInfo> {
    const elsewhere = await direct.resolve(reference, choice, call);
    if (elsewhere !== undefined) return elsewhere;
    const found = await findImage(api, reference, choice, call);
    const image = imageInfo(reference, found);
    const sized = image.size === undefined ? { ...image, size: await learnSize(api, image, found, call) } : image;
    known.set(sized, found);
    return sized;
  }

  /** An image that was handed on as a copy is looked up again. */
  async function foundOf(image: ImageInfo, call: Call): Promise<Found> {
    const choice = image.architecture === undefined ? {} : { architecture: image.architecture };
    return known.get(image) ?? (await findImage(api, image.reference, choice, call));
  }

  return {
    name,
    signedOnly: true,
    resolve,
    async read(image, range, call) {
      return direct.read(image, range, call) ?? readImage(api, image, await foundOf(image, call), range, call);
    },
    can: {
      push: (request, call) => push({ api, entity, sessions, retry, multipartAbove }, request, call),
      repositories: (call) => repositoriesOf(api, call),
      tags: (path, call) => tagsOf(api, path, call),
      search: (query, choice, call) => search(api, query, choice, call),
      tag: (image, tags, call) => addTags(image, tags, call),
      deletable: (reference, call) => deletable(api, reference, call),
      delete: (reference, call) => remove(api, reference, call),
    },
  };

  async function addTags(image: ImageInfo, tags: readonly Tag[], call: Call): Promise<void> {
    const { digest, reference } = image;
    if (digest === undefined) {
      throw new SregistryError("UNSUPPORTED", `${name} gives no sha256 for ${formatReference(reference)}`);
    }
    const architecture = image.architecture ?? hostArchitecture();
    await requireFindable(api, tags, call);
    const place = await makePlace(api, await pushPath(api, reference.path, entity, call), call);
    for (const tag of tags) {
      const record = await imageFor(api, { architecture }, place, digest, call);
      await nameRow(api, place, record, { tag, digest, architecture }, call);
    }
  }
}
