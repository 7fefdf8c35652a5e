/** Images by name, and their bytes: from the library itself, or from the storage that it sends us to. */
import type { Call } from "../../call.ts";
import { SregistryError } from "../../errors.ts";
import { sameOrigin } from "../../http/address.ts";
import { discard } from "../../http/body.ts";
import { isHtml } from "../../http/media-type.ts";
import { requireFollowable } from "../../http/redirect.ts";
import type { Auth, HttpResponse } from "../../http/transport.ts";
import { hostArchitecture } from "../../image/architecture.ts";
import { formatReference } from "../../reference/format.ts";
import type { PlacedReference } from "../../reference/reference.ts";
import { remember } from "../../secret.ts";
import { isBulk, rangedPart } from "../ranged.ts";
import type { BodyPart, ByteRange, ImageInfo, ResolveOptions } from "../registry.ts";
import { type LibraryApi, readData, refusal, WITH_TOKEN } from "./api.ts";
import { imageName } from "./image-name.ts";
import { type ImageRecord, imageRecord } from "./records.ts";

/** What `resolve` learnt of an image, for the reads that follow. */
export interface Found {
  /** `path:tag` as the API has it. */
  readonly name: string;
  readonly architecture: string;
  readonly record: ImageRecord;
  /** Presigned; undefined until it was asked for, and where the library sends the bytes itself. */
  storage: URL | undefined;
}

/** @throws SregistryError NOT_FOUND, also for what may not be seen: libraries do not tell the two apart. */
export async function findImage(
  api: LibraryApi,
  reference: PlacedReference,
  { architecture }: ResolveOptions,
  call: Call,
): Promise<Found> {
  const name = await imageName(api, reference, call);
  const arch = architecture ?? hostArchitecture();
  const record = await lookUp(api, name, arch, reference, call);
  if (record === undefined || record.uploaded === false) throw notFound(api, reference, arch);
  const { selector } = reference;
  if (selector.kind === "digest" && record.digest !== undefined && record.digest !== selector.digest) {
    throw new SregistryError("INTEGRITY", `${api.name} gives ${record.digest} for ${formatReference(reference)}`);
  }
  return { name, architecture: arch, record, storage: undefined };
}

async function lookUp(
  api: LibraryApi,
  name: string,
  arch: string,
  reference: PlacedReference,
  call: Call,
): Promise<ImageRecord | undefined> {
  const url = api.url(`v1/images/${name}`, { arch });
  const response = await api.send({ method: "GET", url, accept: [200, 404, 500] }, call);
  if (response.status === 200) return readData(response, imageRecord);
  if (response.status === 404) {
    await discard(response);
    return undefined;
  }
  if (!isHtml(response)) throw await refusal(api, "GET", response);
  await discard(response);
  // Singularity Registry Server 2.1 fails so when an image is private and no valid token comes with the request.
  throw new SregistryError(
    "UNAUTHORIZED",
    `${api.name} failed to say what ${formatReference(reference)} is: it may be private, and the token missing or wrong`,
    { hint: api.login },
  );
}

function notFound(api: LibraryApi, reference: PlacedReference, arch: string): SregistryError {
  return new SregistryError(
    "NOT_FOUND",
    `${formatReference(reference)} is not at ${api.name} for ${arch}, or not yours to see`,
    {
      hint: "check the name and --arch; a private image needs a login: sregistry remote status",
    },
  );
}

/**
 * Bytes of an image. A library answers with them, or with a URL of its storage that carries its own permission: it gets no
 * credential (CVE-2022-23538), is asked by GET alone, and for a new one when it has run out.
 */
export async function readImage(
  api: LibraryApi,
  image: ImageInfo,
  found: Found,
  range: ByteRange,
  call: Call,
): Promise<BodyPart> {
  for (let fresh = found.storage === undefined; ; fresh = true) {
    const response = await (found.storage === undefined
      ? askLibrary(api, image, found, range, call)
      : askStorage(api, found.storage, range, isBulk(range, image.size), call));
    if (response === undefined) continue;
    if (response.status === 200 || response.status === 206) {
      await requireNoPage(response, image);
      return rangedPart(response, { ...range, size: image.size }, formatReference(image.reference));
    }
    if (found.storage === undefined || fresh) throw await storageRefusal(api, image, response);
    // Minutes old: presigned URLs run out.
    await discard(response);
    found.storage = undefined;
  }
}

/** Undefined: it gave a URL of its storage. */
async function askLibrary(
  api: LibraryApi,
  image: ImageInfo,
  found: Found,
  range: ByteRange,
  call: Call,
): Promise<HttpResponse | undefined> {
  const { name, architecture: arch } = found;
  const response = await api.send(
    {
      method: "GET",
      url: api.url(`v1/imagefile/${name}`, { arch }),
      accept: [200, 206, 301, 302, 303, 307, 308, 404],
      headers: rangeHeader(range),
      redirect: "never",
      bulk: isBulk(range, image.size),
    },
    call,
  );
  if (response.status === 404) {
    await discard(response);
    throw notFound(api, image.reference, arch);
  }
  if (response.status === 200 || response.status === 206) return response;
  const location = response.headers.get("location");
  await discard(response);
  const url =
    location !== undefined && URL.canParse(location, response.url.href) ? new URL(location, response.url) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username + url.password !== "") {
    throw new SregistryError("REPLY_INVALID", `${api.name} sends the download to an address that is no http(s) URL`);
  }
  await requireFollowable(api.base, api.base, url, { verb: "sends the download" });
  if (url.search !== "") remember(url.search);
  found.storage = url;
  return undefined;
}

/** A login page of a proxy, or of the server, is no image. */
async function requireNoPage(response: HttpResponse, image: ImageInfo): Promise<void> {
  if (!isHtml(response)) return;
  await discard(response);
  const name = formatReference(image.reference);
  throw new SregistryError("REPLY_INVALID", `${response.url.host} sent a web page where ${name} was expected`);
}

function askStorage(api: LibraryApi, url: URL, range: ByteRange, bulk: boolean, call: Call): Promise<HttpResponse> {
  return api.transport.send({
    method: "GET",
    url,
    accept: [200, 206, 400, 401, 403, 404],
    headers: rangeHeader(range),
    auth: authAt(api, url),
    retry: "safe",
    bulk,
    signal: call.signal,
    waiting: call.waiting,
  });
}

/** The library itself, at another of its paths, still wants the token; a signed URL bears none beside its signature. */
function authAt(api: LibraryApi, url: URL): Auth {
  const isSigned = [...url.searchParams.keys()].some((name) => /signature$|^sig$/i.test(name));
  return sameOrigin(api.base, url) && !isSigned ? WITH_TOKEN : { kind: "none" };
}

function rangeHeader({ start, end }: ByteRange): Readonly<Record<string, string>> {
  return start === 0 && end === undefined ? {} : { range: `bytes=${start}-${end === undefined ? "" : end - 1}` };
}

/** A record whose bytes are not in the storage: an upload that was not finished, or one by Singularity Registry Server's HMAC protocol. */
async function storageRefusal(api: LibraryApi, image: ImageInfo, response: HttpResponse): Promise<SregistryError> {
  const name = formatReference(image.reference);
  if (response.status !== 404) return refusal({ ...api, name: `the storage of ${api.name}` }, "GET", response);
  await discard(response);
  return new SregistryError("NOT_FOUND", `${api.name} has a record of ${name} and not its bytes`, {
    hint: "its upload was not finished; at a Singularity Registry Server it may be there as shub://",
    status: 404,
  });
}

export function imageInfo(reference: PlacedReference, { record }: Found): ImageInfo {
  const { digest, size, created, uploaded } = record;
  // Singularity Registry Server 2.1, which does not say what was uploaded either, says amd64 of every image.
  const architecture = uploaded === undefined ? undefined : record.architecture;
  return {
    reference,
    size,
    digest,
    architecture,
    mediaType: undefined,
    ...(created === undefined ? {} : { created }),
    annotations: {},
  };
}

/** Size of an image whose record does not tell it: from the answer to a range of one byte. */
export async function learnSize(
  api: LibraryApi,
  image: ImageInfo,
  found: Found,
  call: Call,
): Promise<number | undefined> {
  try {
    const { total, body } = await readImage(api, image, found, { start: 0, end: 1 }, call);
    body.destroy();
    return total;
  } catch (error) {
    // Of nothing there is no first byte.
    if (error instanceof SregistryError && error.status === 416) return 0;
    throw error;
  }
}
