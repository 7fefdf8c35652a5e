/** Deletion by a signature, a row at a time. As shipped the server cannot do it, and says so with status 500. */
import type { Call } from "../../call.ts";
import { type ErrorCode, isCode, SregistryError } from "../../errors.ts";
import { discard } from "../../http/body.ts";
import { isJson } from "../../http/media-type.ts";
import { errorWords } from "../../http/status.ts";
import { formatReference } from "../../reference/format.ts";
import { isTag, parseTag } from "../../reference/name.ts";
import type { PlacedReference } from "../../reference/reference.ts";
import { uriOf } from "../../reference/sregistry.ts";
import { dailyLimit } from "../daily-limit.ts";
import type { DeleteResult, Registry } from "../registry.ts";
import type { SregistryApi } from "./api.ts";
import { ownsCollection } from "./collections.ts";
import { unfreeze } from "./frozen.ts";
import { containerAt, digestOfVersion, flat, type ImageName, libraryPath, shubName, tagged } from "./names.ts";
import { findRows, type Row } from "./rows.ts";

export interface DeleteContext {
  readonly api: SregistryApi;
  /** Finds what a search does not: names with capitals, private images. */
  readonly shub: Registry;
  /** Tells two images apart that differ by the entity: its server may keep names whole. */
  readonly library: Registry;
  readonly canSign: boolean;
  /** Collections that the user was warned about. */
  readonly warned: Set<string>;
}

type Doomed = Omit<Row, "version">;

/** Of a tag: itself. Of a digest: every tag of the container with this content. @throws SregistryError NOT_FOUND. */
export async function deletable(context: DeleteContext, reference: PlacedReference, call: Call): Promise<DeleteResult> {
  const rows = await doomed(context, reference, call);
  await warnIfForeign(context, rows, call);
  return { deleted: rows.map((row) => told(reference, row)) };
}

export async function remove(context: DeleteContext, reference: PlacedReference, call: Call): Promise<DeleteResult> {
  const rows = await doomed(context, reference, call);
  await warnIfForeign(context, rows, call);
  for (const row of rows) await removeRow(context, row, call);
  return { deleted: rows.map((row) => told(reference, row)) };
}

/** By the name that is deleted, which has no entity. */
function told(reference: PlacedReference, row: Doomed): string {
  const short = flat(reference);
  const named = { ...short, path: libraryPath(row) ?? short.path };
  return formatReference(isTag(row.tag) ? tagged(named, row.tag) : named);
}

async function doomed(context: DeleteContext, reference: PlacedReference, call: Call): Promise<readonly Doomed[]> {
  const { api, canSign } = context;
  if (!canSign) {
    throw new SregistryError("UNAUTHORIZED", `${api.name} deletes for its users only, and no login is known for it`, {
      hint: api.login,
    });
  }
  const { selector, path } = reference;
  const container = containerAt(path);
  const rows = await findRows(api, container, undefined, call);
  if (selector.kind === "tag") {
    const { tag } = selector;
    const row = rows.find((one) => one.tag === tag) ?? rows.find((one) => one.tag === tag.toLowerCase());
    if (row === undefined) return [await hidden(context, reference, { ...container, tag }, call)];
    await requireSame(context, reference, row, call);
    return [row];
  }
  const found =
    selector.kind === "digest" ? rows.filter(({ version }) => digestOfVersion(version) === selector.digest) : [];
  if (found.length > 0) return found;
  throw notThere(api, reference);
}

/** What may be asked of the library in vain: then the name without its entity is all that the server has. */
const UNKNOWN: readonly ErrorCode[] = [
  "NOT_FOUND",
  "UNAUTHORIZED",
  "FORBIDDEN",
  "UNSUPPORTED",
  "REPLY_INVALID",
  "SERVER_ERROR",
];

/**
 * Deletion knows no entity. Singularity Registry Server passes it over in pulls too; ours may have another image by the whole name.
 * @throws SregistryError CONFLICT when a pull of this name gives another image than the one that would go.
 */
async function requireSame(
  { api, library }: DeleteContext,
  reference: PlacedReference,
  row: Row,
  call: Call,
): Promise<void> {
  const doomed = digestOfVersion(row.version);
  if (flat(reference).path === reference.path || doomed === undefined) return;
  const digest = await library.resolve(reference, {}, call).then(
    (image) => image.digest,
    (error: unknown) => {
      if (!isCode(error, ...UNKNOWN)) throw error;
      call.log.verbose(`by the library protocol: ${error.message}`);
      return undefined;
    },
  );
  if (digest === undefined || digest === doomed) return;
  const short = told(reference, row);
  throw new SregistryError(
    "CONFLICT",
    `${formatReference(reference)} is ${digest} at ${api.name}, and what a deletion would take is ${short}, ${doomed}`,
    { hint: `if that one is meant: sregistry delete ${short}` },
  );
}

/** Not in a search's answer, and perhaps there. */
async function hidden(
  { api, shub }: DeleteContext,
  reference: PlacedReference,
  image: ImageName,
  call: Call,
): Promise<Doomed> {
  try {
    await shub.resolve(shubName(reference, { kind: "tag", tag: parseTag(image.tag) }), {}, call);
    return { ...image, id: undefined, frozen: false };
  } catch (error) {
    if (isCode(error, "NOT_FOUND")) throw notThere(api, reference);
    throw error;
  }
}

function notThere({ name }: SregistryApi, reference: PlacedReference): SregistryError {
  return new SregistryError("NOT_FOUND", `${name} has no ${formatReference(reference)}`, {
    hint: "check the name and tag",
  });
}

/** Singularity Registry Server 2.1 lets every user delete everything: it only looks whether the signature is some user's. */
async function warnIfForeign({ api, warned }: DeleteContext, rows: readonly Doomed[], call: Call): Promise<void> {
  const [collection] = rows.map((row) => row.collection);
  if (collection === undefined || warned.has(collection)) return;
  warned.add(collection);
  const own = await ownsCollection(api, collection, call);
  if (own === false)
    call.log.warn(`the collection ${collection} is not yours, and ${api.name} may delete in it all the same`);
  if (own === undefined) call.log.verbose(`${api.name} does not tell whose collection ${collection} is`);
}

async function removeRow({ api }: DeleteContext, row: Doomed, call: Call): Promise<void> {
  const { collection, name, tag } = row;
  const response = await api.send(
    {
      method: "DELETE",
      path: `/api/container/${[collection, name].map(encodeURIComponent).join("/")}:${encodeURIComponent(tag)}`,
      accept: [200, 202, 204, 401, 403, 404, 405, 500],
      auth: { kind: "hmac", words: { action: "delete", collection, name, tag } },
      retry: "never",
    },
    call,
  );
  const { status } = response;
  if (status < 300) return discard(response);
  const json = isJson(response);
  throw refusal(api, row, status, json ? await errorWords(response) : "", json);
}

function refusal(
  { name, base }: SregistryApi,
  row: Doomed,
  status: number,
  words: string,
  json: boolean,
): SregistryError {
  const what = uriOf(row);
  if (status === 500 || status === 405) {
    // django-ratelimit 2.0.0 asks a container for its request: https://github.com/singularityhub/sregistry/issues/329
    const page = `${base.origin}/containers${row.id === undefined ? "" : `/${row.id}`}`;
    return new SregistryError(
      "UNSUPPORTED",
      `${name} cannot delete ${what} by its API (status ${status}: a fault of the server's, or a login that it does not take)`,
      { hint: `delete it on its web page: ${page}` },
    );
  }
  if (status === 404) return new SregistryError("NOT_FOUND", `${name} has no ${what}`, { status });
  if (/frozen/i.test(words)) {
    return new SregistryError("CONFLICT", `${name} does not delete ${what}: ${words}`, {
      status,
      hint: unfreeze(row),
    });
  }
  if (!json) return dailyLimit(name);
  return new SregistryError("FORBIDDEN", `${name} does not delete ${what}: ${words || "no reason given"}`, {
    status,
    hint: "the collection's owner can; or the token or the clock is wrong",
  });
}
