/** Where a push goes: entity, collection and container, each found or made. */
import type { Call } from "../../call.ts";
import { type Decoder, field, object, optional, string } from "../../decode.ts";
import { isCode, SregistryError } from "../../errors.ts";
import { discard, ERROR_LIMIT, readUpTo } from "../../http/body.ts";
import { isHtml } from "../../http/media-type.ts";
import { createRetryPolicy, isTransient } from "../../http/retry-policy.ts";
import { dailyLimit } from "../daily-limit.ts";
import type { LibraryApi } from "./api.ts";
import { type ContainerRecord, containerRecord, type NamedRecord, namedRecord } from "./records.ts";

export interface PushPath {
  readonly entity: string;
  readonly collection: string;
  readonly container: string;
}

export interface Place extends PushPath {
  readonly record: ContainerRecord;
}

/**
 * Three components; with two the entity is whoever the token is of.
 * @throws SregistryError REFERENCE_INVALID for one component, or a name that servers of this kind cut letters out of.
 */
export async function pushPath(
  api: LibraryApi,
  path: string,
  known: string | undefined,
  call: Call,
): Promise<PushPath> {
  const ending = path.split("/").find((component) => /\.(?:sif|simg|img)/.test(component));
  if (ending !== undefined) {
    // Singularity Registry Server 2.1 cuts these out of what is pulled, so the image could never be found.
    throw new SregistryError(
      "REFERENCE_INVALID",
      `name ${JSON.stringify(ending)} holds a file's ending, which libraries cut out`,
      {
        hint: `push it as ${path.replaceAll(/\.(?:sif|simg|img)/g, "")}`,
      },
    );
  }
  const parts = path.split("/");
  const [container, collection, entity] = parts.reverse();
  if (container === undefined || collection === undefined || parts.length > 3) {
    throw new SregistryError("REFERENCE_INVALID", `malformed image path: ${path}`, {
      hint: "a push to a library names entity/collection/container:tag",
    });
  }
  return { entity: entity ?? known ?? (await ownEntity(api, path, call)), collection, container };
}

/** Of the token: Singularity Registry Server and ours, Sylabs cloud, Hinkskalle, each in a way of its own. */
async function ownEntity(api: LibraryApi, path: string, call: Call): Promise<string> {
  for (const { route, name } of WHO) {
    const found = await askName(api, route, name, call);
    if (found !== undefined) return found;
  }
  throw new SregistryError("UNAUTHORIZED", `${api.name} does not say whose the token is, so ${path} lacks an entity`, {
    hint: `${api.login}; or write it out: library://ENTITY/${path}`,
  });
}

const WHO: readonly { readonly route: string; readonly name: Decoder<string | undefined> }[] = [
  { route: "v1/entities", name: (value, where) => nameIn(object(value, where)["data"], "name", where) },
  { route: "v1/rbac/users/current", name: (value, where) => nameIn(value, "username", where) },
  { route: "v1/token-status", name: (value, where) => nameIn(object(value, where)["data"], "username", where) },
];

function nameIn(value: unknown, member: string, where: string): string | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return field(object(value, where), member, optional(string), where) || undefined;
}

async function askName(
  api: LibraryApi,
  route: string,
  decode: Decoder<string | undefined>,
  call: Call,
): Promise<string | undefined> {
  const accept = [200, 400, 401, 403, 404, 405, 406, 500];
  const response = await api.send({ method: "GET", url: api.url(route), accept }, call);
  const limited = response.status === 403 && isHtml(response);
  if (response.status !== 200 && !limited) {
    await discard(response);
    return undefined;
  }
  const { bytes } = await readUpTo(response, ERROR_LIMIT);
  // Django calls an empty answer text/html too.
  if (limited && bytes.length > 0) throw dailyLimit(api.name);
  try {
    return decode(JSON.parse(new TextDecoder().decode(bytes)), route);
  } catch (error) {
    // Another kind of server: an empty body, a page.
    if (error instanceof SyntaxError || isCode(error, "REPLY_INVALID")) return undefined;
    throw error;
  }
}

/** Whose it will be: what a server tells nobody who is not logged in. Made where it is missing. */
export function makeOwner(api: LibraryApi, { entity }: PushPath, call: Call): Promise<NamedRecord> {
  return namedPlace(api, `v1/entities/${entity}`, "v1/entities", { name: entity }, call);
}

/** @throws SregistryError FORBIDDEN for somebody else's collection, in the server's words where it has some. */
export async function makePlace(api: LibraryApi, path: PushPath, call: Call, known?: NamedRecord): Promise<Place> {
  const { entity, collection, container } = path;
  const owner = known ?? (await makeOwner(api, path, call));
  const group = await namedPlace(
    api,
    `v1/collections/${entity}/${collection}`,
    "v1/collections",
    { name: collection, entity: owner.id },
    call,
  );
  // Singularity Registry Server normalises the name of a new collection, and looks it up as it is written.
  const name = group.name ?? collection;
  if (name !== collection) call.log.info(`${api.name} calls the collection ${name}`);
  const record = await findOrMake(
    api,
    {
      what: `the container ${container}`,
      find: () => api.find(api.url(`v1/containers/${entity}/${name}/${container}`), containerRecord, call),
      make: () => makeContainer(api, { name: container, collection: group.id }, call),
    },
    call,
  );
  return { entity, collection: name, container, record };
}

function makeContainer(
  api: LibraryApi,
  { name, collection }: { readonly name: string; readonly collection: string },
  call: Call,
): Promise<ContainerRecord> {
  const body = { name, collection, description: "No description" };
  return api.make("POST", api.url("v1/containers"), body, containerRecord, call);
}

async function namedPlace(
  api: LibraryApi,
  found: string,
  made: string,
  members: Readonly<Record<string, string>>,
  call: Call,
): Promise<NamedRecord> {
  try {
    return await findOrMake(
      api,
      {
        what: found.replace(/^v1\//, ""),
        find: () => api.find(api.url(found), namedRecord, call),
        make: () => api.make("POST", api.url(made), { ...members, description: "No description" }, namedRecord, call),
      },
      call,
    );
  } catch (error) {
    if (made === "v1/entities" && isCode(error, "UNSUPPORTED")) throw noEntity(api, error, members["name"] ?? "");
    throw isCode(error, "CONFLICT", "FORBIDDEN") ? notYours(error, members["name"] ?? "") : error;
  }
}

/** A record of the library's. */
interface Wanted<T> {
  /** For -v. */
  readonly what: string;
  find(): Promise<T | undefined>;
  make(): Promise<T>;
}

/**
 * Another push may make it meanwhile, and an answer that was lost may have been a yes: a refusal is looked at again, and what
 * failed for the moment is asked for once more if it is not there. A 403 is also Singularity Registry Server's "exists already".
 */
export async function findOrMake<T>(api: LibraryApi, { what, find, make }: Wanted<T>, call: Call): Promise<T> {
  const there = await find();
  if (there !== undefined) return there;
  const { signal, log } = call;
  const retry = createRetryPolicy({ what: `making ${what} at ${api.name}`, signal, log, limits: api.retry });
  for (;;) {
    try {
      return await make();
    } catch (error) {
      const unsure = isTransient(error) || isCode(error, "CONFLICT", "FORBIDDEN");
      const again = unsure ? await find() : undefined;
      if (again !== undefined) return again;
      await retry.next(error);
    }
  }
}

/** Singularity Registry Server 2.1 shows the token's own entity to its owner alone, and makes none. */
function noEntity(api: LibraryApi, error: SregistryError, name: string): SregistryError {
  const words = `${api.name} shows no entity ${name} to this login, and lets none be made`;
  return new SregistryError("UNSUPPORTED", words, {
    hint: "a push begins with your own user name there; sregistry remote status says whether the token is valid",
    cause: error,
    ...(error.status === undefined ? {} : { status: error.status }),
  });
}

/** It is there, and we do not see it: Singularity Registry Server shows a collection to its owner alone. */
function notYours(error: SregistryError, name: string): SregistryError {
  if (!/exists already/i.test(error.message)) return error;
  return new SregistryError("FORBIDDEN", `the collection ${name} belongs to somebody else: ${error.message}`, {
    hint: "push to a collection of your own, or ask its owner",
    cause: error,
  });
}
