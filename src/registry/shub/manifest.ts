/** `GET /api/container/<collection>/<name>`: what the server says of an image, in any of the forms that it says no. */
import type { Call } from "../../call.ts";
import { count, type Decoder, field, object, optional, parseJson, string } from "../../decode.ts";
import { SregistryError } from "../../errors.ts";
import { MANIFEST_LIMIT, readCapped } from "../../http/body.ts";
import { serverHour } from "../../http/hmac.ts";
import { isHtml, isJson } from "../../http/media-type.ts";
import { createRetryPolicy } from "../../http/retry-policy.ts";
import { errorWords } from "../../http/status.ts";
import type { Auth, HttpResponse } from "../../http/transport.ts";
import { digestAlgorithm, digestHex } from "../../reference/digest.ts";
import { formatReference } from "../../reference/format.ts";
import type { Selector, ShubReference } from "../../reference/reference.ts";
import { dailyLimit } from "../daily-limit.ts";
import { tokenLogin } from "../token-login.ts";
import { type Hub, hubUrl } from "./hub.ts";

export interface Manifest {
  /** Where the bytes are. It may hold a secret that opens the whole collection. */
  readonly image: string;
  /** `sha256.<64 hex>`, or 32 hex digits of an md5. */
  readonly version: string | undefined;
  readonly commit: string | undefined;
  /** Bytes. */
  readonly size: number | undefined;
  readonly created: string | undefined;
}

type Answer =
  | { readonly kind: "manifest"; readonly manifest: Manifest }
  /** 403 with JSON. */
  | { readonly kind: "private"; readonly words: string; readonly hour: string | undefined }
  /** 200 and the number 400, or 500 with a page: the signature is not taken. */
  | { readonly kind: "signature"; readonly hour: string | undefined };

/** @throws SregistryError NOT_FOUND, UNAUTHORIZED, FORBIDDEN, RATE_LIMITED, REPLY_INVALID. */
export async function fetchManifest(
  hub: Hub,
  reference: ShubReference,
  architecture: string | undefined,
  call: Call,
): Promise<Manifest> {
  const ask = (auth: Auth): Promise<Answer> => askManifest(hub, reference, architecture, auth, call);
  const open = await ask({ kind: "none" });
  if (open.kind === "manifest") return open.manifest;
  if (!hub.hmac) throw loginWanted(hub, reference, open.kind === "private" ? open.words : "");
  const auth: Auth = { kind: "hmac", words: { action: "pull", ...signedName(reference) } };
  let signed = await ask(auth);
  // The full hour struck between the two: the transport has the server's time by now.
  if (signed.kind === "signature" && signed.hour !== open.hour) signed = await ask(auth);
  if (signed.kind === "manifest") return signed.manifest;
  throw signed.kind === "signature" ? signatureRefused(hub, reference) : noRight(hub, reference, signed.words);
}

async function askManifest(
  hub: Hub,
  reference: ShubReference,
  architecture: string | undefined,
  auth: Auth,
  call: Call,
): Promise<Answer> {
  const url = hubUrl(hub, `/api/container/${reference.path}${selectorWord(reference.selector)}`);
  if (architecture !== undefined) url.searchParams.set("arch", architecture);
  const retry = createRetryPolicy({
    what: `GET ${url.href}`,
    signal: call.signal,
    log: call.log,
    limits: hub.retry,
  });
  for (;;) {
    try {
      const response = await hub.transport.send({
        method: "GET",
        url,
        accept: auth.kind === "hmac" ? [200, 403, 404, 500] : [200, 403, 404],
        auth,
        retry: "safe",
        signal: call.signal,
      });
      return await readAnswer(hub, reference, response);
    } catch (error) {
      await retry.next(error);
    }
  }
}

async function readAnswer(hub: Hub, reference: ShubReference, response: HttpResponse): Promise<Answer> {
  const { status } = response;
  if (status === 200 && !isHtml(response)) return readManifest(hub, reference, response);
  const words = await errorWords(response);
  const hour = serverHour(response);
  if (status === 500) return { kind: "signature", hour };
  if (status === 404) throw notFound(hub, reference);
  if (status === 403 && isJson(response)) return { kind: "private", words, hour };
  if (status === 403) throw dailyLimit(hub.name);
  throw new SregistryError(
    "REPLY_INVALID",
    `${hub.name} answered with a web page${words === "" ? "" : ` (${words})`} where the record of ${formatReference(reference)} was expected`,
    { hint: `look at ${hub.base.href}: it may be no shub server, or ask for a login in the browser` },
  );
}

async function readManifest(hub: Hub, reference: ShubReference, response: HttpResponse): Promise<Answer> {
  const where = `answer of ${response.url.host} to ${response.url.pathname}`;
  const value = parseJson(new TextDecoder().decode(await readCapped(response, MANIFEST_LIMIT)), where);
  if (value === 429) {
    throw new SregistryError(
      "RATE_LIMITED",
      `${hub.name}: the weekly download limit of ${formatReference(reference)} or its collection is reached`,
      { hint: "try again in some days, or pull it by library:// if the server has it there" },
    );
  }
  if (value === 400) return { kind: "signature", hour: serverHour(response) };
  return { kind: "manifest", manifest: decodeManifest(value, where) };
}

/** Only `image` is in all of them: Hinkskalle 5 gives `{image, name, tag}`, Singularity Hub had a commit. */
const decodeManifest: Decoder<Manifest> = (value, where) => {
  const json = object(value, where);
  return {
    image: field(json, "image", string, where),
    version: field(json, "version", optional(string), where),
    commit: field(json, "commit", optional(string), where),
    size: json["size"] === "" ? undefined : field(json, "size", optional(count), where),
    created: field(json, "add_date", optional(string), where),
  };
};

/** `:tag`, or `@sha256.<hex>` and `@<hex>` without a tag. */
function selectorWord(selector: Selector): string {
  switch (selector.kind) {
    case "tag":
      return `:${selector.tag}`;
    case "version":
      return `@${selector.hex}`;
    case "digest":
      return `@${digestAlgorithm(selector.digest)}.${digestHex(selector.digest)}`;
  }
}

/** A URL without tag is signed for latest. */
function signedName({ path, selector }: ShubReference): { collection: string; name: string; tag: string } {
  const slash = path.lastIndexOf("/");
  const tag = selector.kind === "tag" ? selector.tag : "latest";
  return { collection: path.slice(0, Math.max(0, slash)), name: path.slice(slash + 1), tag };
}

function notFound(hub: Hub, reference: ShubReference): SregistryError {
  return new SregistryError("NOT_FOUND", `${hub.name} has no ${formatReference(reference)}`, {
    status: 404,
    hint: "check the name, in upper and lower case as it was pushed; or it is private, and not yours to see",
  });
}

function loginWanted({ name, base }: Hub, reference: ShubReference, words: string): SregistryError {
  const said = words === "" ? "" : ` (${words})`;
  return new SregistryError(
    "UNAUTHORIZED",
    `${formatReference(reference)} is private at ${name}, and no login is known for it${said}`,
    { hint: tokenLogin(base) },
  );
}

function noRight({ name }: Hub, reference: ShubReference, words: string): SregistryError {
  return new SregistryError(
    "FORBIDDEN",
    `${formatReference(reference)} is private at ${name}, and the login is not let in${words === "" ? "" : ` (${words})`}`,
    { hint: "ask the owner of the collection to make you a contributor" },
  );
}

function signatureRefused({ name, base }: Hub, reference: ShubReference): SregistryError {
  return new SregistryError(
    "UNAUTHORIZED",
    `${name} does not take the signature for ${formatReference(reference)}: user name, token or clock are wrong`,
    { hint: `compare the token with the one at ${base.origin}/token, then: ${tokenLogin(base)}` },
  );
}
