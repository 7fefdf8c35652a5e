/** What a scripted registry holds and how it hands it out: blobs, manifests, lists, deletion. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { digestOf } from "../../src/reference/digest.ts";
import type { Quirks, SeenRequest } from "./quirks.ts";

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly seen: SeenRequest;
  readonly url: URL;
}

export interface StoredManifest {
  readonly type: string;
  readonly bytes: Buffer;
}

const OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const OCI_INDEX = "application/vnd.oci.image.index.v1+json";

export class Content {
  readonly blobs = new Map<string, Buffer>();
  readonly manifests = new Map<string, StoredManifest>();
  /** `repository:tag` -> digest. */
  readonly tags = new Map<string, string>();
  readonly #quirks: Quirks;

  constructor(quirks: Quirks) {
    this.#quirks = quirks;
  }

  putBlob(repository: string, bytes: Uint8Array): string {
    const digest = digestOf(bytes);
    this.blobs.set(`${repository}@${digest}`, Buffer.from(bytes));
    return digest;
  }

  putManifest(repository: string, tag: string | undefined, manifest: unknown, type = OCI_MANIFEST): string {
    const bytes = Buffer.from(JSON.stringify(manifest));
    const digest = digestOf(bytes);
    this.manifests.set(`${repository}@${digest}`, { type, bytes });
    if (tag !== undefined) this.tags.set(`${repository}:${tag}`, digest);
    return digest;
  }

  blob(exchange: Exchange, key: string) {
    const bytes = this.blobs.get(key);
    if (bytes === undefined) return refuse(exchange, 404, "BLOB_UNKNOWN", "blob unknown to registry");
    const range = /^bytes=(\d+)-(\d+)$/.exec(exchange.request.headers.range ?? "");
    if (range === null) return answer(exchange, 200, { "content-length": String(bytes.length) }, bytes);
    const part = bytes.subarray(Number(range[1]), Number(range[2]) + 1);
    answer(exchange, 206, { "content-range": `bytes ${range[1]}-${range[2]}/${bytes.length}` }, part);
  }

  async manifest(exchange: Exchange, repository: string, name: string): Promise<void> {
    const { method } = exchange.seen;
    if (method === "PUT") return this.#takeManifest(exchange, repository, name);
    const digest = name.startsWith("sha256:") ? name : this.tags.get(`${repository}:${name}`);
    const stored = this.manifests.get(`${repository}@${digest}`);
    if (stored === undefined) return refuse(exchange, 404, "MANIFEST_UNKNOWN", "manifest unknown");
    if (method === "DELETE") return this.#delete(exchange, repository, name);
    const told = this.#quirks.digestUntold === true ? {} : { "docker-content-digest": String(digest) };
    answer(exchange, 200, { "content-type": stored.type, ...told }, stored.bytes);
  }

  async #takeManifest(exchange: Exchange, repository: string, name: string): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of exchange.request) chunks.push(chunk);
    const bytes = Buffer.concat(chunks);
    exchange.seen.bodyBytes = bytes.length;
    const { config } = JSON.parse(bytes.toString());
    const { configTypes } = this.#quirks;
    if (configTypes !== undefined && !configTypes.includes(config?.mediaType)) {
      return refuse(exchange, 400, "MANIFEST_INVALID", "manifest schema version not supported");
    }
    const digest = digestOf(bytes);
    const type = exchange.request.headers["content-type"] ?? "";
    this.manifests.set(`${repository}@${digest}`, { type, bytes });
    if (!name.startsWith("sha256:")) this.tags.set(`${repository}:${name}`, digest);
    answer(exchange, 201, this.#quirks.digestUntold === true ? {} : { "docker-content-digest": digest });
  }

  #delete(exchange: Exchange, repository: string, name: string) {
    const { deletes = "tags" } = this.#quirks;
    const byTag = !name.startsWith("sha256:");
    if (deletes === "nothing") return refuse(exchange, 405, "UNSUPPORTED", "the operation is unsupported");
    if (byTag && deletes === "digests") {
      return refuse(exchange, 400, "DIGEST_INVALID", "provided digest did not match uploaded content");
    }
    if (byTag) this.tags.delete(`${repository}:${name}`);
    else {
      this.manifests.delete(`${repository}@${name}`);
      for (const [tag, digest] of this.tags) {
        if (digest === name && tag.startsWith(`${repository}:`)) this.tags.delete(tag);
      }
    }
    answer(exchange, 202);
  }

  repositories(): readonly string[] {
    return [...new Set([...this.tags.keys()].map((name) => name.replace(/:.*/, "")))].sort();
  }

  tagsOf(repository: string): readonly string[] {
    const prefix = `${repository}:`;
    return [...this.tags.keys()].filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length));
  }

  list(exchange: Exchange, field: string, all: readonly string[]) {
    const { pageSize = all.length, links = "relative" } = this.#quirks;
    const start = Number(exchange.url.searchParams.get("start") ?? 0);
    const items = all.slice(start, start + pageSize);
    const next = `${exchange.url.pathname}?start=${links === "loop" ? start : start + pageSize}`;
    const origin = { relative: "", loop: "", absolute: exchange.url.origin, foreign: "http://127.0.0.2:9" }[links];
    const link = start + pageSize >= all.length ? {} : { link: `<${origin}${next}>; rel="next"` };
    answer(exchange, 200, { "content-type": "application/json", ...link }, JSON.stringify({ [field]: items }));
  }

  referrers(exchange: Exchange, repository: string, subject: string) {
    const manifests = [...this.manifests].flatMap(([key, { type, bytes }]) => {
      const manifest = JSON.parse(bytes.toString());
      if (!key.startsWith(`${repository}@`) || manifest.subject?.digest !== subject) return [];
      const { artifactType, annotations } = manifest;
      return [{ mediaType: type, digest: digestOf(bytes), size: bytes.length, artifactType, annotations }];
    });
    const { pageSize = manifests.length } = this.#quirks;
    const start = Number(exchange.url.searchParams.get("start") ?? 0);
    const next = `<${exchange.url.pathname}?start=${start + pageSize}>; rel="next"`;
    const index = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: manifests.slice(start, start + pageSize) };
    const link = start + pageSize >= manifests.length ? {} : { link: next };
    answer(exchange, 200, { "content-type": OCI_INDEX, ...link }, JSON.stringify(index));
  }
}

export function answer(
  { response, seen }: Exchange,
  status: number,
  headers: Readonly<Record<string, string>> = {},
  body: string | Uint8Array = "",
): void {
  const length = status === 204 ? {} : { "content-length": String(Buffer.byteLength(body)) };
  response.writeHead(status, { ...length, ...headers });
  response.end(seen.method === "HEAD" ? undefined : body);
}

export function refuse(
  exchange: Exchange,
  status: number,
  code: string,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  const body = JSON.stringify({ errors: [{ code, message, detail: null }] });
  answer(exchange, status, { "content-type": "application/json", ...headers }, body);
}
