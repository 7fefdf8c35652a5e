/** The routes of the distribution API (distribution-spec 1.1) at one host. */
import type { Call } from "../../call.ts";
import { SregistryError } from "../../errors.ts";
import { type Scope, sameOrigin, scopeOf } from "../../http/address.ts";
import { createRetryPolicy, type RetryLimits, type RetryPolicy } from "../../http/retry-policy.ts";
import type { Auth, Body, HttpResponse, Method, Transport } from "../../http/transport.ts";
import type { Digest } from "../../reference/digest.ts";
import type { Host, RepoPath } from "../../reference/reference.ts";
import { redact } from "../../secret.ts";

export type Rights = "pull" | "push" | "delete";

export interface ApiRequest {
  readonly method: Method;
  readonly url: URL;
  readonly accept: readonly number[];
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Body;
  readonly retry?: "safe" | "never";
  readonly redirect?: "follow" | "never";
  /** Milliseconds; default: the transport's. */
  readonly headersTimeout?: number;
  /** As HttpRequest has it. */
  readonly bulk?: boolean;
  readonly auth: Auth;
}

export interface OciApi {
  /** As the user names it. */
  readonly host: Host;
  readonly base: URL;
  send(request: ApiRequest, call: Call): Promise<HttpResponse>;
  /** A small answer, read whole: when the connection breaks in its middle, it is asked for again. */
  fetch<T>(request: ApiRequest, call: Call, read: (response: HttpResponse) => Promise<T> | T): Promise<T>;
  retryPolicy(what: string, call: Call): RetryPolicy;
  manifestUrl(path: RepoPath, reference: string): URL;
  blobUrl(path: RepoPath, digest: Digest): URL;
  uploadsUrl(path: RepoPath): URL;
  url(text: string): URL;
}

/** Docker Hub's name and the host of its API differ. */
function apiBase(host: Host, base: URL): URL {
  return host === "docker.io" ? new URL("https://registry-1.docker.io/") : base;
}

export function createApi(host: Host, baseUrl: URL, transport: Transport, limits?: Partial<RetryLimits>): OciApi {
  const base = apiBase(host, baseUrl);
  const url = (text: string): URL => new URL(text, base);
  const send: OciApi["send"] = ({ retry = "safe", ...request }, { signal, waiting }) =>
    transport.send({ ...request, retry, signal, waiting });
  const retryPolicy: OciApi["retryPolicy"] = (what, { signal, log, waiting }) =>
    createRetryPolicy({ what, signal, log, limits, waiting });
  return {
    host,
    base,
    url,
    manifestUrl: (path, reference) => url(`/v2/${path}/manifests/${reference}`),
    blobUrl: (path, digest) => url(`/v2/${path}/blobs/${digest}`),
    uploadsUrl: (path) => url(`/v2/${path}/blobs/uploads/`),
    send,
    async fetch(request, call, read) {
      const retry = retryPolicy(`${request.method} ${redact(request.url.href)}`, call);
      for (;;) {
        try {
          return await read(await send(request, call));
        } catch (error) {
          await retry.next(error);
        }
      }
    },
    retryPolicy,
  };
}

/** Credentials for one repository; the scope is what a token server is asked for. */
export function repositoryAuth(path: RepoPath, rights: Rights, from?: RepoPath): Auth {
  const actions = { pull: "pull", push: "pull,push", delete: "pull,push,delete" }[rights];
  const scopes = [`repository:${path}:${actions}`, ...(from === undefined ? [] : [`repository:${from}:pull`])];
  return { kind: "registry", repository: path, scopes };
}

export interface UploadLocation {
  readonly url: URL;
  /** None at another origin: it carries its own permission, and ours is not its business. */
  readonly auth: Auth;
}

/**
 * Where an upload goes on. The spec lets it be relative (zot) or at another host; registry:2 behind a TLS proxy without
 * X-Forwarded-Proto names its own host with http. @throws SregistryError REPLY_INVALID, REFUSED.
 */
export function uploadLocation(api: OciApi, response: HttpResponse, own: Auth): UploadLocation {
  const text = response.headers.get("location");
  if (text === undefined || !URL.canParse(text, response.url.href)) {
    throw new SregistryError("REPLY_INVALID", `${api.host} began an upload without saying where it goes on (Location)`);
  }
  const url = new URL(text, response.url);
  return settleLocation(api, url, own);
}

/** @throws SregistryError REFUSED for what is no plain http(s) URL, a downgrade to http, or a way into this network. */
export function settleLocation(api: OciApi, url: URL, own: Auth): UploadLocation {
  if (!/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "") throw notFollowed(api, url);
  if (url.protocol === "http:" && api.base.protocol === "https:" && url.hostname === api.base.hostname) {
    const upgraded = new URL(api.base);
    upgraded.pathname = url.pathname;
    upgraded.search = url.search;
    return { url: upgraded, auth: own };
  }
  if (sameOrigin(url, api.base)) return { url, auth: own };
  const downgrade = url.protocol !== "https:" && api.base.protocol === "https:";
  if (downgrade || leadsInward(scopeOf(api.base.hostname), scopeOf(url.hostname))) {
    throw notFollowed(api, url);
  }
  return { url, auth: { kind: "none" } };
}

function notFollowed(api: OciApi, { protocol, host }: URL): SregistryError {
  return new SregistryError("REFUSED", `${api.host} sends the upload to ${protocol}//${host}; that is not followed`, {
    hint: "if the registry is right, its public address is misconfigured: tell its administrator",
  });
}

/** A server out there must not make us write to our own machine or to a cloud's metadata service. */
function leadsInward(from: Scope, to: Scope): boolean {
  return from !== "loopback" && from !== to && to !== "public" && to !== "name";
}

/** `?digest=` or `&digest=`, the rest of the query as the server wrote it: it may be signed. */
export function closingUrl(location: URL, digest: Digest): URL {
  return new URL(`${location.href}${location.search === "" ? "?" : "&"}digest=${encodeURIComponent(digest)}`);
}
