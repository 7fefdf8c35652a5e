/** Singularity Registry Server: one endpoint, three protocols (library, HMAC, shub), two stores, one flat space of names. */
import type { Call } from "../../call.ts";
import { isCode, SregistryError } from "../../errors.ts";
import type { RetryLimits } from "../../http/retry-policy.ts";
import type { Transport } from "../../http/transport.ts";
import { parseTag } from "../../reference/name.ts";
import type { PlacedReference, RepoPath, Tag } from "../../reference/reference.ts";
import type {
  Capabilities,
  DeleteResult,
  ImageInfo,
  PushRequest,
  PushResult,
  Registry,
  SearchHit,
  SearchOptions,
} from "../registry.ts";
import { tokenLogin } from "../token-login.ts";
import { createApi } from "./api.ts";
import { createCollection } from "./collections.ts";
import { deletable, remove } from "./delete.ts";
import { Images } from "./images.ts";
import { labels } from "./labels.ts";
import { containers, search, tagsOf } from "./lists.ts";
import { asStored, flat, storedName } from "./names.ts";
import { push as hmacPush } from "./push.ts";
import { lookBeforePush } from "./twins.ts";

export interface SregistryOptions {
  /** For messages; default: the host. */
  readonly name?: string;
  /** Scheme, host and port; a path in it is kept. */
  readonly base: URL;
  /** What to type for a login there; default: to make a remote of it. */
  readonly login?: string;
  readonly library: Registry;
  readonly shub: Registry;
  /** Signs when a login is known, as `canSign` says. */
  readonly transport: Transport;
  readonly canSign: boolean;
  /** Has the library's token, for what takes one besides pulls and pushes. */
  readonly bearer?: Transport;
  /** `auto`: by library where that goes. `hmac`: pushes are signed, and pulls ask the store of signed pushes first. */
  readonly protocol: "auto" | "library" | "hmac";
  /** Of answers that break off; the transports have their own for requests. */
  readonly retry?: Partial<RetryLimits>;
  /** Milliseconds between the looks at what a signed push stored. */
  readonly readBackWaits?: readonly number[];
}

/** The worker takes about a second; each look is one of a day's few requests. */
const READ_BACK_WAITS = [1000, 3000];

export function createSregistryRegistry(options: SregistryOptions): Registry {
  const { base, library, shub, transport, canSign, bearer, protocol, retry } = options;
  const { name = `Singularity Registry Server ${base.host}`, readBackWaits: waits = READ_BACK_WAITS } = options;
  const { login = tokenLogin(base) } = options;
  const api = createApi({ name, base, login, transport, bearer, retry });
  const images = new Images({ api, library, shub, first: protocol === "hmac" ? "shub" : "library" });
  const deletion = { api, shub, library, canSign, warned: new Set<string>() };
  /** Tags that came with a listing of repositories, until they are asked for or something changes. */
  const listed = new Map<RepoPath, readonly Tag[]>();

  /** Collections that the last whole listing of repositories found empty, until they are asked for. */
  let empty: readonly string[] | undefined;

  async function* repositories(call: Call): AsyncGenerator<RepoPath> {
    const found: string[] = [];
    for await (const { path, tags } of containers(api, call, (collection) => found.push(collection))) {
      listed.set(path, tags);
      yield path;
    }
    empty = found;
  }

  async function emptyCollections(call: Call): Promise<readonly string[]> {
    const known = empty;
    empty = undefined;
    if (known !== undefined) return known;
    const found: string[] = [];
    for await (const _ of containers(api, call, (collection) => found.push(collection)));
    return found;
  }

  async function* tags(path: RepoPath, call: Call): AsyncGenerator<Tag> {
    const known = listed.get(path);
    listed.delete(path);
    yield* known ?? (await tagsOf(api, path, call));
  }

  async function push(request: PushRequest, call: Call): Promise<PushResult> {
    listed.clear();
    if (protocol === "hmac") return signedPush(request, call);
    if (library.can.push === undefined) return signedPush(request, call);
    const names = request.tags.map((tag) => storedName(request.reference.path, tag, call.log));
    await lookBeforePush(api, names, request.source, call);
    const stored = { ...request, reference: asStored(request.reference), tags: names.map((one) => parseTag(one.tag)) };
    try {
      // It stores names as they come and finds lower case only, so it is given the names that it will find.
      return await library.can.push(stored, call);
    } catch (error) {
      if (protocol === "library" || !canSign || !hmacMay(error)) throw error;
      call.log.info(`${name} takes no push by the library protocol (${error.message}): signing one instead`);
      return signedPush(request, call);
    }
  }

  async function signedPush(request: PushRequest, call: Call): Promise<PushResult> {
    if (canSign) return hmacPush({ api, shub, waits }, request, call);
    throw new SregistryError("UNAUTHORIZED", `a push to ${name} needs a login, and none is known`, {
      hint: login,
    });
  }

  async function tag(image: ImageInfo, names: readonly Tag[], call: Call): Promise<void> {
    listed.clear();
    const { kind, image: found } = images.of(image);
    if (kind === "library" && library.can.tag !== undefined) {
      const stored = names.map((one) => parseTag(storedName(image.reference.path, one, call.log).tag));
      return library.can.tag(found, stored, call);
    }
    throw new SregistryError("UNSUPPORTED", `${name} gives no second tag to an image that came by a signed push`, {
      hint: "push it again under the other tag",
    });
  }

  /** Without a login nothing can be signed, and a server that is open to everybody (ours) deletes by the library protocol. */
  async function byLibrary(
    power: "deletable" | "delete",
    reference: PlacedReference,
    call: Call,
  ): Promise<DeleteResult | undefined> {
    if (canSign || protocol === "hmac") return undefined;
    try {
      return await library.can[power]?.(reference, call);
    } catch (error) {
      if (isCode(error, "UNSUPPORTED")) return undefined;
      throw error;
    }
  }

  /** Ours searches descriptions too, and knows architectures; Singularity Registry Server 2.1 has no search. */
  async function* find(query: string, choice: SearchOptions, call: Call): AsyncGenerator<SearchHit> {
    try {
      if (library.can.search !== undefined && query.length > 2) {
        for await (const hit of library.can.search(query, choice, call))
          yield { ...hit, reference: flat(hit.reference) };
        return;
      }
    } catch (error) {
      if (!isCode(error, "UNSUPPORTED")) throw error;
    }
    yield* search(api, query, choice, call);
  }

  const can: Partial<Capabilities> = {
    push,
    repositories,
    tags,
    async metadata(image, call) {
      const { kind, image: found } = images.of(image);
      return (kind === "library" ? library : shub).can.metadata?.(found, call);
    },
    tag,
    deletable: async (reference, call) =>
      (await byLibrary("deletable", reference, call)) ?? deletable(deletion, reference, call),
    async delete(reference, call) {
      listed.clear();
      return (await byLibrary("delete", reference, call)) ?? remove(deletion, reference, call);
    },
    search: (query, choice, call) => find(query, choice, call),
    labels: (filter, call) => labels(api, filter, call),
    emptyCollections,
    ...(bearer === undefined
      ? {}
      : { createCollection: (collection, choice, call) => createCollection(api, collection, choice, call) }),
  };
  return {
    name,
    resolve: (reference, choice, call) => images.resolve(reference, choice, call),
    read: (image, range, call) => images.read(image, range, call),
    can,
    ...(library.signedOnly === undefined || protocol === "hmac" ? {} : { signedOnly: library.signedOnly }),
  };
}

/**
 * Refusals of the library protocol that a signed push gets around: there is no such API (before server 1.1.22, or behind a proxy
 * that lets only `/api` through: 404 and 405), or API_REQUIRE_AUTH is set, which turns every Bearer token away and no signature.
 * Not a lack of rights, a frozen tag or a limit: a signature has no more rights, and its refusal says less of why.
 */
function hmacMay(error: unknown): error is SregistryError {
  if (isCode(error, "UNSUPPORTED", "NOT_FOUND")) return true;
  return isCode(error, "FORBIDDEN", "UNAUTHORIZED") && /credentials were not provided/i.test(error.message);
}
