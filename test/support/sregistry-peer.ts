/**
 * Singularity Registry Server 2.1 as far as its own protocol goes, faults included: rows in one table, signatures by its own
 * clock, 500 for every refusal. `peer.faults` stands before it: a test scripts there what the model does not do.
 */
import { createHash, randomUUID } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { hmacSignature, hmacTimestamp } from "../../src/hmac.ts";
import { formBoundary, formParts } from "../../src/server/sregistry/form.ts";
import { type Faults, startFaults } from "./faults.ts";

export const TOKEN = "5027225717bf0030465db1e7099e496022c42181";
export const USER = "vanessa";

export interface PeerRow {
  readonly id: number;
  readonly collection: string;
  readonly name: string;
  readonly tag: string;
  version: string;
  frozen: boolean;
  /** Undefined: pushed by the library protocol, or broken by a push of the same bytes. */
  bytes: Buffer | undefined;
}

export interface PeerCollection {
  readonly name: string;
  readonly owner: string;
  readonly private: boolean;
}

interface Reply {
  readonly status: number;
  readonly type?: string;
  readonly body?: Buffer | string;
}

export class SregistryPeer {
  readonly rows: PeerRow[] = [];
  readonly collections = new Map<string, PeerCollection>();
  readonly labels: { key: string; value: string; containers: string[] }[] = [];
  /** Whoever signs is a superuser: let in everywhere, and keeps nothing where the collection is another's. */
  superuser = false;
  /** Milliseconds that its clock is before ours. */
  clock = 0;
  /** Answers to a search after a push until the worker has made the sha256 of an md5. */
  workerAfter = 1;
  /** As shipped, with django-ratelimit's fault. */
  deletes = false;
  /** Collections of a page, whatever is asked for. */
  pageSize: number | undefined;
  readonly #pending = new Map<PeerRow, number>();
  #next = 1;

  add(uri: string, bytes: Buffer | undefined, more: Partial<PeerRow> = {}): PeerRow {
    const [, collection = "", name = "", tag = ""] = /^(.*)\/([^/]*):(.*)$/.exec(uri) ?? [];
    this.collections.set(
      collection,
      this.collections.get(collection) ?? { name: collection, owner: USER, private: false },
    );
    const version = `sha256.${createHash("sha256")
      .update(bytes ?? "")
      .digest("hex")}`;
    const row: PeerRow = { id: this.#id(), collection, name, tag, version, frozen: false, bytes, ...more };
    this.rows.push(row);
    return row;
  }

  row(uri: string): PeerRow | undefined {
    return this.rows.find(({ collection, name, tag }) => `${collection}/${name}:${tag}` === uri);
  }

  async answer(request: IncomingMessage, base: string): Promise<Reply> {
    const url = new URL(request.url ?? "/", base);
    const path = decodeURIComponent(url.pathname);
    const words = path.split("/").filter((word) => word !== "");
    const method = request.method ?? "";
    if (method === "POST" && path === "/api/upload/chunked_upload") return this.#announce(request);
    if (method === "POST" && path === "/upload") return this.#upload(request);
    if (path === "/version") return json(200, { data: { version: "v1.0.0", apiVersion: "2.0.0-alpha.1" } });
    if (path.startsWith("/v1/")) return this.#library(request, words, method);
    if (words[0] === "containers") return this.#download(words);
    if (path === "/api/collections/") return this.#page(url, base);
    if (path.startsWith("/api/labels/search")) return json(200, this.#labelsOf(words.slice(3)));
    if (path.startsWith("/api/container/search/")) return json(200, this.#search(words.slice(3)));
    if (path.startsWith("/api/container/")) return this.#container(request, words.slice(2).join("/"), base);
    return page(404, "Not Found");
  }

  #id(): number {
    this.#next += 1;
    return this.#next;
  }

  #isSigned({ headers }: IncomingMessage, action: string, collection: string, name: string, tag: string): boolean {
    const hour = hmacTimestamp(new Date(Date.now() + this.clock));
    const signature = hmacSignature(TOKEN, { action, collection, name, tag }, hour);
    const credential = `${action}/${Buffer.from(USER).toString("base64")}/${hour}`;
    return headers.authorization === `SREGISTRY-HMAC-SHA256 Credential=${credential},Signature=${signature}`;
  }

  async #announce(request: IncomingMessage): Promise<Reply> {
    const { collection = "", name = "", tag = "latest" } = JSON.parse((await bodyOf(request)).toString());
    const normal = collection
      .replaceAll(/[^0-9A-Za-z]+/g, "-")
      .replaceAll(/^-|-$/g, "")
      .toLowerCase();
    if (!this.#isSigned(request, "push", normal, name, tag)) return page(500, "Server Error (500)");
    const known = this.collections.get(normal) ?? { name: normal, owner: USER, private: false };
    if (known.owner !== USER && !this.superuser) return page(500, "Server Error (500)");
    this.collections.set(normal, known);
    return json(200, { cid: [...this.collections.keys()].indexOf(normal) + 1 });
  }

  async #upload(request: IncomingMessage): Promise<Reply> {
    if (request.headers["content-length"] === undefined) return page(400, "Bad Request");
    const fields = new Map<string, Buffer>();
    for await (const part of formParts(request, formBoundary(request.headers["content-type"]))) {
      const chunks: Uint8Array[] = [];
      for await (const chunk of part.content) chunks.push(chunk);
      fields.set(part.name, Buffer.concat(chunks));
    }
    const text = (name: string): string => fields.get(name)?.toString() ?? "";
    const bytes = fields.get("file1");
    const collection = [...this.collections.values()][Number(text("collection")) - 1];
    const [name, tag] = [text("name"), text("tag")];
    if (collection === undefined || bytes === undefined) return page(500, "Server Error (500)");
    if (!this.#isSigned(request, "upload", collection.name, name, tag)) return page(500, "Server Error (500)");
    return json(200, { message: this.#keep(collection, name.toLowerCase(), tag.toLowerCase(), bytes) });
  }

  #keep(collection: PeerCollection, name: string, tag: string, bytes: Buffer): string {
    const done = "Upload Complete";
    if (collection.owner !== USER) return done;
    const uri = `${collection.name}/${name}:${tag}`;
    const old = this.row(uri);
    if (old?.frozen === true) return `${uri}@${old.version} already exists.`;
    const md5 = createHash("md5").update(bytes).digest("hex");
    if (old?.bytes?.equals(bytes) === true) {
      // The row stays, its file is deleted.
      Object.assign(old, { bytes: undefined, version: md5 });
      return done;
    }
    if (old !== undefined) this.rows.splice(this.rows.indexOf(old), 1);
    this.#pending.set(this.add(uri, bytes, { version: md5 }), this.workerAfter);
    return done;
  }

  /** The worker runs between two requests. */
  #work(row: PeerRow): void {
    const left = this.#pending.get(row);
    if (left === undefined || row.bytes === undefined) return;
    if (left > 0) this.#pending.set(row, left - 1);
    else row.version = `sha256.${createHash("sha256").update(row.bytes).digest("hex")}`;
  }

  async #container(request: IncomingMessage, text: string, base: string): Promise<Reply> {
    const [, collection = "", name = "", tag = "latest"] = /^([^/]+)\/([^/:@]+)(?::([^@]*))?(?:@.*)?$/.exec(text) ?? [];
    const row = this.row(`${collection}/${name}:${tag}`);
    if (request.method === "DELETE") {
      if (row === undefined) return json(404, { detail: "Container Not Found" });
      if (row.frozen) return json(403, { detail: `${collection}/${name}:${tag} is frozen, delete not allowed.` });
      if (!this.deletes) return page(500, "Server Error (500)");
      if (!this.#isSigned(request, "delete", collection, name, tag)) return json(403, { detail: "Unauthorized" });
      this.rows.splice(this.rows.indexOf(row), 1);
      return { status: 204 };
    }
    if (row === undefined) return json(404, { detail: "Not found." });
    if (this.collections.get(collection)?.private === true && !this.#isSigned(request, "pull", collection, name, tag)) {
      return request.headers.authorization === undefined
        ? json(403, { detail: "Authentication Required" })
        : json(200, 400);
    }
    return json(200, { ...describe(row), image: `${base}/containers/${row.id}/download/${SECRET}` });
  }

  #download([, id, , secret]: readonly string[]): Reply {
    const row = this.rows.find((one) => String(one.id) === id);
    if (row?.bytes === undefined || secret !== SECRET) return page(404, "Not Found");
    return { status: 200, type: "application/img", body: row.bytes };
  }

  #search(words: readonly string[]): readonly object[] {
    const wanted = new Map<string, string>();
    for (let at = 0; at < words.length; at += 2) wanted.set(words[at] ?? "", (words[at + 1] ?? "").toLowerCase());
    const found = this.rows.filter((row) =>
      (["collection", "name", "tag"] as const).every((key) => !wanted.has(key) || wanted.get(key) === row[key]),
    );
    for (const row of found) this.#work(row);
    return found.map(describe);
  }

  #page(url: URL, base: string): Reply {
    const limit = this.pageSize ?? Number(url.searchParams.get("limit") ?? 10);
    const offset = Number(url.searchParams.get("offset") ?? 0);
    const all = [...this.collections.values()].filter((one) => !one.private);
    const results = all.slice(offset, offset + limit).map(({ name }, at) => ({
      id: offset + at + 1,
      name,
      metadata: {},
      containers: this.rows
        .filter((row) => row.collection === name)
        .map((row) => ({
          name: row.name,
          tag: row.tag,
          uri: `${name}/${row.name}:${row.tag}`,
          detail: `${base}/containers/${row.id}`,
        })),
    }));
    const more = offset + limit < all.length;
    // By another name of the same server, as behind a proxy.
    const next = more ? `http://registry.internal/api/collections/?limit=${limit}&offset=${offset + limit}` : null;
    return json(200, { count: all.length, next, previous: null, results });
  }

  #labelsOf(words: readonly string[]): readonly object[] {
    const [first, kind, second] = words;
    return this.labels.filter(({ key, value }) => {
      if (first === undefined) return true;
      if (kind === "value") return value === first;
      return key === first && (second === undefined || value === second);
    });
  }

  async #library(request: IncomingMessage, [, what, , name]: readonly string[], method: string): Promise<Reply> {
    const known = request.headers.authorization === `Bearer ${TOKEN}`;
    if (what === "entities") return known ? json(200, { data: { id: "2", name: USER } }) : { status: 404 };
    if (what !== "collections") return page(404, "Not Found");
    if (method === "GET") {
      if (!known) return { status: 403 };
      const found = this.collections.get(name ?? "");
      return found?.owner === USER ? json(200, { data: { id: "2", name } }) : { status: 404 };
    }
    if (!known) return json(403, { error: { code: 403, message: "Token not valid" } });
    const made = JSON.parse((await bodyOf(request)).toString());
    if (made.entity !== "2") return json(403, { error: { code: 403, message: `Permission denied 2 ${made.entity}` } });
    if (this.collections.has(made.name)) {
      return json(403, { error: { code: 403, message: `A collection named '${made.name}' exists already!` } });
    }
    this.collections.set(made.name, { name: made.name, owner: USER, private: made.private });
    return json(200, { data: { id: "7", name: made.name, owner: "2", private: made.private } });
  }
}

export const SECRET = randomUUID();

function describe({ id, collection, name, tag, version, frozen }: PeerRow): object {
  const metadata = { pushSecret: "internal", upload_id: "internal" };
  return {
    id,
    name,
    tag,
    add_date: "2026-11-20T20:39:24.834339-06:00",
    metrics: {},
    version,
    frozen,
    metadata,
    collection,
  };
}

function json(status: number, value: unknown): Reply {
  return { status, type: "application/json", body: JSON.stringify(value) };
}

function page(status: number, title: string): Reply {
  return { status, type: "text/html; charset=utf-8", body: `<!doctype html><title>${title}</title><h1>${title}</h1>` };
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export interface RunningPeer extends AsyncDisposable {
  readonly peer: SregistryPeer;
  /** Before the peer, and where clients go. */
  readonly faults: Faults;
  /** `POST /upload` for every request so far. */
  story(): readonly string[];
}

export async function startSregistryPeer(): Promise<RunningPeer> {
  const peer = new SregistryPeer();
  const server = createServer((request, response) => {
    const base = `http://${request.headers.host}`;
    peer
      .answer(request, base)
      .then(({ status, type, body = "" }) => {
        const date = new Date(Date.now() + peer.clock).toUTCString();
        const length = status === 204 ? {} : { "content-length": String(Buffer.byteLength(body)) };
        response.writeHead(status, { date, ...length, ...(type === undefined ? {} : { "content-type": type }) });
        response.end(body);
      })
      // A client that went away in the middle.
      .catch(() => request.socket.destroy());
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  const faults = await startFaults({ upstream: new URL(`http://127.0.0.1:${port}/`) });
  return {
    peer,
    faults,
    story: () => faults.requests.map(({ method, path }) => `${method} ${path}`),
    async [Symbol.asyncDispose]() {
      await faults.close();
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}
