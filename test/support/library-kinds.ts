/**
 * A library of one of four kinds over HTTP, its images in a storage at another port (Hinkskalle and the first API keep them
 * themselves). What a kind does not do by itself is scripted on `faults`, which stands before it.
 */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { type Faults, startFaults } from "./faults.ts";
import { type Answer, type Asked, type Dialect, type Row, Shelf, SRS, SYLABS } from "./library-dialects.ts";
import { type LibraryStorage, startLibraryStorage } from "./library-presigned.ts";

export type Kind = "sylabs" | "srs" | "hinkskalle" | "legacy";

export const LIBRARY_TOKEN = "5027225717bf0030465db1e7099e496022c42181";

export interface LibraryPeer extends AsyncDisposable {
  readonly url: URL;
  readonly faults: Faults;
  readonly storage: LibraryStorage;
  readonly shelf: Shelf;
  /** Bytes of every part but the last. */
  partSize: number;
  /** `options.s3compliant` of an upload in parts; undefined: no options. */
  s3compliant: string | undefined;
  /** An image that is there: `tools/app`. */
  add(name: string, bytes: Buffer, tags: readonly string[], more?: Partial<Row>): Row;
  /** `METHOD path` of every request to the library, without the query. */
  story(): readonly string[];
  /** JSON of the requests to `METHOD path`. */
  bodies(line: RegExp): readonly unknown[];
}

type Reply = Answer & { readonly bytes?: Buffer; readonly etag?: string; readonly challenge?: string };
type Request = Asked & { readonly base: string; readonly raw: Buffer };
type Route = (request: Request) => Reply;

export const hashOf = (bytes: Buffer): string => `sha256.${createHash("sha256").update(bytes).digest("hex")}`;

const keyOf = ({ name, hash }: Row): string => `${name}/${hash}`;

export async function startLibraryPeer(kind: Kind): Promise<LibraryPeer> {
  const storage = await startLibraryStorage();
  const library = new Library(kind, storage);
  const server = createServer((incoming, outgoing) => {
    library.answer(incoming).then(
      (reply) => {
        const { status, location, etag, challenge } = reply;
        const body = bodyOf(reply);
        outgoing.writeHead(status, {
          "content-length": body.length,
          ...(reply.bytes === undefined ? typeOf(reply) : { "content-type": "application/octet-stream" }),
          ...(location === undefined ? {} : { location: location.href }),
          ...(etag === undefined ? {} : { etag }),
          ...(challenge === undefined ? {} : { "www-authenticate": challenge }),
        });
        outgoing.end(body);
      },
      (error: unknown) => outgoing.writeHead(500, { "content-type": "text/html" }).end(`<h1>${String(error)}</h1>`),
    );
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  const faults = await startFaults({ upstream: new URL(`http://127.0.0.1:${port}/`) });
  const line = ({ method, path }: { readonly method: string; readonly path: string }): string =>
    `${method} ${decodeURIComponent(path.split("?")[0] ?? "")}`;
  return Object.assign(library, {
    url: faults.url,
    faults,
    story: () => faults.requests.map(line),
    bodies: (pattern: RegExp) =>
      faults.requests.filter((request) => pattern.test(line(request))).map(({ bodyText }) => JSON.parse(bodyText)),
    async [Symbol.asyncDispose]() {
      await faults.close();
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
      await storage[Symbol.asyncDispose]();
    },
  });
}

function bodyOf({ bytes, body }: Reply): Buffer {
  if (bytes !== undefined) return bytes;
  return Buffer.from(body === undefined ? "" : typeof body === "string" ? body : JSON.stringify(body));
}

function typeOf({ body }: Reply): Readonly<Record<string, string>> {
  if (body === undefined) return {};
  return { "content-type": typeof body === "string" ? "text/html" : "application/json" };
}

class Library {
  readonly storage: LibraryStorage;
  readonly shelf = new Shelf();
  partSize = 1000;
  s3compliant: string | undefined = undefined;
  readonly #kind: Kind;
  readonly #dialect: Dialect;
  readonly #routes: Readonly<Record<string, Route>>;
  #uploads = 0;

  constructor(kind: Kind, storage: LibraryStorage) {
    this.#kind = kind;
    this.storage = storage;
    this.#dialect = DIALECTS[kind];
    this.#routes = { ...this.#common(), ...this.#uploadRoutes(), ...this.#dialectRoutes(), ...this.#ownRoutes() };
  }

  add(name: string, bytes: Buffer, tags: readonly string[], more: Partial<Row> = {}): Row {
    const [collection = ""] = name.split("/");
    for (const place of [collection, name]) if (this.shelf.id(place) === undefined) this.shelf.create(place);
    const row = Object.assign(this.shelf.add(name, hashOf(bytes), tags), {
      size: bytes.length,
      uploaded: true,
      ...more,
    });
    this.storage.objects.set(keyOf(row), bytes);
    return row;
  }

  async answer(incoming: IncomingMessage): Promise<Reply> {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk);
    const raw = Buffer.concat(chunks);
    const url = new URL(incoming.url ?? "/", "http://library");
    const line = `${incoming.method} ${decodeURIComponent(url.pathname)}`;
    for (const [pattern, route] of Object.entries(this.#routes)) {
      const found = new RegExp(`^${pattern}$`).exec(line);
      if (found === null) continue;
      return route({
        at: { ...found.groups },
        body: raw[0] === 0x7b ? JSON.parse(raw.toString()) : {},
        raw,
        base: `http://${incoming.headers.host}`,
        arch: url.searchParams.get("arch") ?? "amd64",
        contentType: incoming.headers["content-type"],
        known: incoming.headers.authorization === `Bearer ${LIBRARY_TOKEN}`,
      });
    }
    return { status: 404, body: "<h1>Not Found</h1>" };
  }

  #common(): Readonly<Record<string, Route>> {
    const { shelf } = this;
    return {
      "GET /version": () => ({
        status: 200,
        body: { data: { version: "v1.0.0", apiVersion: this.#dialect.apiVersion } },
      }),
      "GET /v1/entities/(?<name>[^/]+)": ({ at, known }) =>
        known && at["name"] === "lab" ? data({ id: "1", name: "lab", updatedAt: "" }) : { status: 404 },
      "GET /v1/collections/lab/(?<name>[^/]+)": ({ at, known }) => {
        const id = shelf.id(at["name"] ?? "");
        if (!known) return { status: 403 };
        return id === undefined ? { status: 404 } : data({ id, name: at["name"] });
      },
      "POST /v1/collections": ({ body, known }) => {
        if (!known) return { status: 403, body: { error: { code: 403, message: "Token not valid" } } };
        const asked = String(body["name"]);
        const name = this.#kind === "srs" ? asked.replaceAll(/[^0-9A-Za-z]+/g, "-").toLowerCase() : asked;
        return data({ id: shelf.id(name) ?? shelf.create(name), name });
      },
      "GET /v1/imagefile//?(?<ref>.+)": ({ at, arch }) => {
        const row = shelf.find(at["ref"] ?? "", this.#kind === "srs" ? undefined : arch);
        if (row === undefined) return { status: 404 };
        if (this.#kind === "sylabs" || this.#kind === "srs") {
          const location = this.storage.presign({ method: "GET", key: keyOf(row) });
          return { status: this.#dialect.redirect, location };
        }
        return { status: 200, bytes: this.storage.objects.get(keyOf(row)) ?? Buffer.alloc(0) };
      },
    };
  }

  #dialectRoutes(): Readonly<Record<string, Route>> {
    const routes = { "GET /v1/images/(?<ref>.+)": this.#dialect.image, ...this.#dialect.routes };
    return Object.fromEntries(
      Object.entries(routes).map(([pattern, route]) => [pattern, (asked: Request) => route(this.shelf, asked)]),
    );
  }

  /** On the image named in the path, for those who have the token. */
  #on(act: (row: Row, request: Request) => Reply): Route {
    return (request) => {
      const row = this.shelf.byId(request.at["id"]);
      if (!request.known) return this.#dialect.unknownToken;
      return row === undefined ? { status: 404 } : act(row, request);
    };
  }

  #uploadRoutes(): Readonly<Record<string, Route>> {
    const image = "/v2/imagefile/(?<id>\\d+)";
    return {
      [`POST ${image}`]: this.#on((row, { body }) => {
        row.size = Number(body["filesize"]);
        const sha256 = this.#dialect.signsBody ? String(body["sha256sum"]) : undefined;
        return data({ uploadURL: this.storage.presign({ method: "PUT", key: keyOf(row), sha256 }).href });
      }),
      [`PUT ${image}/_complete`]: this.#on((row) => {
        row.uploaded = true;
        return this.#dialect.completed(row, false);
      }),
      [`POST ${image}/_multipart`]: this.#on((row, { body }) => {
        row.size = Number(body["filesize"]);
        this.#uploads += 1;
        row.uploadId = `upload-${this.#uploads}`;
        const options = this.s3compliant === undefined ? {} : { options: { s3compliant: this.s3compliant } };
        const totalParts = this.#dialect.parts(row.size, this.partSize);
        return data({ uploadID: row.uploadId, totalParts, partSize: this.partSize, ...options });
      }),
      [`PUT ${image}/_multipart`]: this.#on((row, { body }) => {
        if (row.uploadId === undefined || body["uploadID"] !== row.uploadId) return { status: 404 };
        const signs = this.s3compliant === undefined || this.s3compliant === "true";
        const sha256 = signs ? String(body["sha256sum"]) : undefined;
        const key = partKey(row, Number(body["partNumber"]));
        return data({ presignedURL: this.storage.presign({ method: "PUT", key, sha256 }).href });
      }),
      [`PUT ${image}/_multipart_complete`]: this.#on((row, { body }) => this.#closeParts(row, body)),
      [`PUT ${image}/_multipart_abort`]: this.#on((row) => {
        this.shelf.rows.splice(this.shelf.rows.indexOf(row), 1);
        return { status: 200 };
      }),
    };
  }

  /** S3 puts the parts together in the order of their numbers, and holds each to its ETag. */
  #closeParts(row: Row, body: Readonly<Record<string, unknown>>): Reply {
    const listed = body["completedParts"];
    if (row.uploadId === undefined || body["uploadID"] !== row.uploadId || !Array.isArray(listed)) return FAILED;
    const parts = listed.map(({ partNumber, token }) => {
      const part = this.storage.objects.get(partKey(row, Number(partNumber)));
      const right = part !== undefined && token === `"${createHash("md5").update(part).digest("hex")}"`;
      return right ? part : undefined;
    });
    if (parts.some((part) => part === undefined)) return FAILED;
    this.storage.objects.set(keyOf(row), Buffer.concat(parts.filter((part) => part !== undefined)));
    delete row.uploadId;
    row.uploaded = true;
    return this.#dialect.completed(row, true);
  }

  #ownRoutes(): Readonly<Record<string, Route>> {
    switch (this.#kind) {
      case "srs":
        return {
          "GET /v1/entities": ({ known }) => (known ? data({ id: "1", name: "lab" }) : { status: 404 }),
          "POST /v1/entities": () => ({ status: 405, body: { detail: 'Method "POST" not allowed.' } }),
          "DELETE /v1/images/.+": () => ({ status: 405, body: { detail: 'Method "DELETE" not allowed.' } }),
        };
      case "sylabs":
        return {
          "GET /v1/rbac/users/current": ({ known }) =>
            known ? { status: 200, body: { id: "1", username: "lab" } } : { status: 401 },
          ...this.#removal(),
        };
      case "hinkskalle":
        return { ...this.#hinkskalle(), ...this.#removal() };
      case "legacy":
        return {
          "GET /version": () => ({ status: 404, body: "<h1>Not Found</h1>" }),
          "POST /v1/imagefile/(?<id>\\d+)": this.#on((row, { raw }) => {
            this.storage.objects.set(keyOf(row), raw);
            Object.assign(row, { uploaded: true, size: raw.length });
            return { status: 200 };
          }),
          "POST /v1/tags/(?<id>\\d+)": ({ body }) => {
            const row = this.shelf.byId(body["ImageID"]);
            if (row === undefined) return { status: 404 };
            row.tags = [...row.tags, String(body["Tag"])];
            return data({ [String(body["Tag"])]: row.id });
          },
        };
    }
  }

  #removal(): Readonly<Record<string, Route>> {
    return {
      "DELETE /v1/images/(?<ref>.+)": ({ at, arch }) => {
        const row = this.shelf.find(at["ref"] ?? "", arch);
        if (row === undefined) return { status: 404 };
        this.shelf.rows.splice(this.shelf.rows.indexOf(row), 1);
        return { status: 200, body: { status: "ok" } };
      },
    };
  }

  /** Uploads go to the library itself, which checks them; each also sets `latest`. */
  #hinkskalle(): Readonly<Record<string, Route>> {
    const realm = { status: 401, challenge: 'bearer realm="http://registry.invalid/v2/"' };
    const unknown = { ...realm, body: { status: "error", errors: [{ title: "Unauthorized", code: 401 }] } };
    return {
      "GET /v1/entities": ({ known }) => (known ? data([{ id: "1", name: "lab" }]) : unknown),
      "GET /v1/token-status": ({ known }) =>
        known ? { status: 200, body: { status: "welcome", data: { username: "lab" } } } : unknown,
      "POST /v2/imagefile/(?<id>\\d+)": this.#on((row, { body, base }) => {
        row.size = Number(body["filesize"]);
        return data({ uploadURL: `${base}/v2/imagefile/_upload/${row.id}` });
      }),
      "PUT /v2/imagefile/_upload/(?<id>\\d+)": ({ at, raw }) => {
        const row = this.shelf.byId(at["id"]);
        if (row === undefined) return { status: 404, body: { message: "Invalid uploadid" } };
        if (hashOf(raw) !== row.hash) return { status: 422, body: { message: "Invalid hash" } };
        this.storage.objects.set(keyOf(row), raw);
        row.tags = [...row.tags, "latest"];
        return { status: 200, etag: row.hash.slice("sha256.".length) };
      },
    };
  }
}

const FAILED: Reply = { status: 500, body: "<h1>Server Error (500)</h1>" };

const partKey = ({ id }: Row, number: number): string => `parts/${id}/${number}`;

function data(value: unknown): Reply {
  return { status: 200, body: { data: value } };
}

const SYLABS_LIKE: Dialect = { ...SYLABS, signsBody: true };

const DIALECTS: Readonly<Record<Kind, Dialect>> = {
  sylabs: SYLABS_LIKE,
  srs: SRS,
  hinkskalle: SYLABS,
  legacy: { ...SYLABS, completed: () => ({ status: 404 }) },
};
