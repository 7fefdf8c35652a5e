/** A library server whose images are in S3 behind presigned URLs, as they are at Singularity Registry Server and Sylabs. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type Answer, type Asked, type Dialect, type Row, Shelf } from "./library-dialects.ts";
import {
  abortMultipartUpload,
  type Bucket,
  completeMultipartUpload,
  createMultipartUpload,
  type Part,
  presign,
  uploadPart,
} from "./presign.ts";

export interface MinioLibrary extends AsyncDisposable {
  /** `http://127.0.0.1:PORT`: MinIO's host name, another port. */
  readonly url: string;
  readonly rows: readonly Row[];
  /** `METHOD path status`, one a request. */
  readonly story: string[];
  /** The key of an image in the bucket. */
  keyOf(row: Row): string;
}

export const LIBRARY_TOKEN = "5027225717bf0030465db1e7099e496022c42181";

/** @param partSize bytes; S3 wants 5 MiB or more in all parts but the last. */
export async function startMinioLibrary(bucket: Bucket, dialect: Dialect, partSize: number): Promise<MinioLibrary> {
  const shelf = new Shelf();
  const story: string[] = [];
  const server = createServer((incoming, outgoing) => {
    const url = new URL(incoming.url ?? "/", "http://library");
    route(dialectRoutes(bucket, dialect, partSize), shelf, incoming, url).then(
      (answer) => {
        story.push(`${incoming.method} ${decodeURIComponent(url.pathname)} ${answer.status}`);
        send(outgoing, answer);
      },
      (error: unknown) => send(outgoing, { status: 500, body: `<h1>${String(error)}</h1>` }),
    );
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    rows: shelf.rows,
    story,
    keyOf,
    [Symbol.asyncDispose]: () => closed(server),
  };
}

type Route = (shelf: Shelf, asked: Asked) => Answer | Promise<Answer>;

const keyOf = ({ name, hash }: Row): string => `${name}/${hash}`;

function dialectRoutes(bucket: Bucket, dialect: Dialect, partSize: number): Readonly<Record<string, Route>> {
  return { ...COMMON, ...pulls(bucket, dialect), ...uploads(bucket, dialect, partSize), ...dialect.routes };
}

async function route(
  routes: Readonly<Record<string, Route>>,
  shelf: Shelf,
  incoming: IncomingMessage,
  url: URL,
): Promise<Answer> {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk);
  const body: Record<string, unknown> = chunks.length === 0 ? {} : JSON.parse(Buffer.concat(chunks).toString());
  for (const [pattern, answer] of Object.entries(routes)) {
    const found = new RegExp(`^${pattern}$`).exec(`${incoming.method} ${decodeURIComponent(url.pathname)}`);
    if (found === null) continue;
    return await answer(shelf, {
      at: { ...found.groups, base: `http://${incoming.headers.host}` },
      body,
      arch: url.searchParams.get("arch") ?? "amd64",
      contentType: incoming.headers["content-type"],
      known: incoming.headers.authorization === `Bearer ${LIBRARY_TOKEN}`,
    });
  }
  return { status: 404, body: "<h1>Not Found</h1>" };
}

const COMMON: Readonly<Record<string, Route>> = {
  "GET /assets/config/config.prod.json": (_, { at }) => ({
    status: 200,
    body: { libraryAPI: { uri: at["base"] }, tokenAPI: { uri: at["base"] } },
  }),
  "GET /v1/token-status": (_, { known }) => ({ status: known ? 200 : 404 }),
  "GET /v1/entities(/lab)?": (_, { known }) =>
    known ? { status: 200, body: { data: named("1", "lab") } } : { status: 404 },
  "GET /v1/collections/lab/(?<name>\\w+)": (shelf, { at, known }) => {
    const id = shelf.id(at["name"] ?? "");
    if (!known) return { status: 403 };
    return id === undefined ? { status: 404 } : { status: 200, body: { data: named(id, at["name"] ?? "") } };
  },
  "POST /v1/collections": (shelf, { body, known }) => {
    if (!known) return { status: 403, body: { error: { code: 403, message: "Token not valid" } } };
    const name = String(body["name"]);
    return { status: 200, body: { data: named(shelf.create(name), name) } };
  },
};

const named = (id: string, name: string) => ({
  ...{
    id,
    name,
    description: name,
    createdAt: "2026-11-21T02:34:06.903009Z",
    updatedAt: "2026-11-21T02:34:06.903009Z",
  },
  ...{ deletedAt: "0001-01-01T00:00:00Z", size: 0, quota: 0, private: false },
});

function pulls(bucket: Bucket, dialect: Dialect): Readonly<Record<string, Route>> {
  return {
    "GET /version": () => ({ status: 200, body: { data: { version: "v1.0.0", apiVersion: dialect.apiVersion } } }),
    "GET /v1/images/(?<ref>.+)": dialect.image,
    "GET /v1/imagefile//?(?<ref>.+)": (shelf, { at }) => {
      const row = shelf.find(at["ref"] ?? "");
      if (row === undefined) return { status: 404 };
      return { status: dialect.redirect, location: presign(bucket, "GET", keyOf(row)) };
    },
  };
}

function uploads(bucket: Bucket, dialect: Dialect, partSize: number): Readonly<Record<string, Route>> {
  /** A route on the image named in the path, for those who have the token. */
  const on = (act: (row: Row, asked: Asked, shelf: Shelf) => Answer | Promise<Answer>): Route => {
    return (shelf, asked) => {
      const row = shelf.byId(asked.at["id"]);
      if (!asked.known) return dialect.unknownToken;
      return row === undefined ? { status: 404 } : act(row, asked, shelf);
    };
  };
  const image = "/v2/imagefile/(?<id>\\d+)";
  return {
    [`POST ${image}`]: on((row, { body }) => {
      row.size = Number(body["filesize"]);
      const sha256 = dialect.signsBody ? { sha256: String(body["sha256sum"]) } : {};
      return { status: 200, body: { data: { uploadURL: presign(bucket, "PUT", keyOf(row), sha256).href } } };
    }),
    [`PUT ${image}/_complete`]: on((row) => {
      row.uploaded = true;
      return dialect.completed(row, false);
    }),
    [`POST ${image}/_multipart`]: on(async (row, { body }) => {
      row.size = Number(body["filesize"]);
      row.uploadId = await createMultipartUpload(bucket, keyOf(row));
      const data = dialect.started(row.uploadId, dialect.parts(row.size, partSize), partSize);
      return { status: 200, body: { data } };
    }),
    [`PUT ${image}/_multipart`]: on((row, { body }) => {
      if (row.uploadId === undefined || body["uploadID"] !== row.uploadId) return { status: 404 };
      const part = Number(body["partNumber"]);
      const url = uploadPart(bucket, keyOf(row), row.uploadId, part, String(body["sha256sum"]));
      return { status: 200, body: { data: { presignedURL: url.href } } };
    }),
    [`PUT ${image}/_multipart_complete`]: on(async (row, { body }) => {
      if (row.uploadId === undefined || body["uploadID"] !== row.uploadId) return { status: 404 };
      await completeMultipartUpload(bucket, keyOf(row), row.uploadId, partsOf(body["completedParts"]));
      row.uploaded = true;
      return dialect.completed(row, true);
    }),
    [`PUT ${image}/_multipart_abort`]: on(async (row, _, shelf) => {
      if (row.uploadId !== undefined) await abortMultipartUpload(bucket, keyOf(row), row.uploadId);
      shelf.rows.splice(shelf.rows.indexOf(row), 1);
      return { status: 200 };
    }),
  };
}

function partsOf(listed: unknown): readonly Part[] {
  if (!Array.isArray(listed)) throw new Error("completedParts is not a list");
  return listed.map(({ partNumber, token }) => ({ partNumber: Number(partNumber), etag: String(token) }));
}

function send(outgoing: ServerResponse, { status, body, location }: Answer): void {
  const html = typeof body === "string";
  const text = body === undefined ? "" : html ? body : JSON.stringify(body);
  outgoing.writeHead(status, {
    "content-length": Buffer.byteLength(text),
    ...(body === undefined ? {} : { "content-type": html ? "text/html" : "application/json" }),
    ...(location === undefined ? {} : { location: location.href }),
  });
  outgoing.end(text);
}

async function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
}
