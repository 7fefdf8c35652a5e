/**
 * The storage behind a library: presigned URLs, as MinIO and S3 read them. It refuses what they refuse: a second way to log in,
 * a body without a length, a signed header that is missing, an `x-amz-` header that is not signed, a URL that has run out.
 */
import { createHash, randomBytes } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type Faults, startFaults } from "./faults.ts";

export interface Permit {
  readonly method: "GET" | "PUT";
  readonly key: string;
  /** Hex that `x-amz-content-sha256` must be; undefined: the header is not signed. */
  readonly sha256?: string | undefined;
  expired?: boolean;
}

export interface LibraryStorage extends AsyncDisposable {
  /** Stands before the storage: URLs name it. */
  readonly faults: Faults;
  readonly objects: Map<string, Buffer>;
  /** Every URL that was given out, in order. */
  readonly permits: Permit[];
  presign(permit: Permit): URL;
}

interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer | string;
}

export async function startLibraryStorage(): Promise<LibraryStorage> {
  const objects = new Map<string, Buffer>();
  const signed = new Map<string, Permit>();
  const permits: Permit[] = [];
  const server = createServer((request, response) => {
    answer(request, signed, objects).then(
      (reply) => send(response, request, reply),
      () => response.destroy(),
    );
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address() as AddressInfo;
  const faults = await startFaults({ upstream: new URL(`http://127.0.0.1:${port}/`) });
  return {
    faults,
    objects,
    permits,
    presign(permit) {
      const signature = randomBytes(16).toString("hex");
      permits.push(permit);
      signed.set(signature, permit);
      const url = new URL(`bucket/${permit.key}`, faults.url);
      url.searchParams.set("X-Amz-SignedHeaders", permit.sha256 === undefined ? "host" : "host;x-amz-content-sha256");
      url.searchParams.set("X-Amz-Signature", signature);
      return url;
    },
    async [Symbol.asyncDispose]() {
      await faults.close();
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

async function answer(
  request: IncomingMessage,
  signed: ReadonlyMap<string, Permit>,
  objects: Map<string, Buffer>,
): Promise<Reply> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  const { searchParams } = new URL(request.url ?? "/", "http://storage");
  const permit = signed.get(searchParams.get("X-Amz-Signature") ?? "");
  return refused(request, permit) ?? act(request, permit, Buffer.concat(chunks), objects);
}

function refused({ headers, method }: IncomingMessage, permit: Permit | undefined): Reply | undefined {
  const hash = headers["x-amz-content-sha256"];
  if (headers.authorization !== undefined) return xml(400, "InvalidRequest", "multiple authentication types");
  if (permit === undefined || permit.method !== method)
    return xml(403, "SignatureDoesNotMatch", "signature not correct");
  if (permit.expired === true) return xml(403, "AccessDenied", "Request has expired");
  if (method === "PUT" && headers["content-length"] === undefined) return xml(411, "MissingContentLength", "no length");
  if (hash !== undefined && permit.sha256 === undefined)
    return xml(400, "AccessDenied", "headers present which were not signed");
  return hash === permit.sha256 ? undefined : xml(403, "SignatureDoesNotMatch", "signed header missing or wrong");
}

function act(
  { headers }: IncomingMessage,
  permit: Permit | undefined,
  body: Buffer,
  objects: Map<string, Buffer>,
): Reply {
  if (permit === undefined) return xml(403, "AccessDenied", "no permit");
  if (permit.method === "PUT") {
    objects.set(permit.key, body);
    return { status: 200, headers: { etag: `"${createHash("md5").update(body).digest("hex")}"` } };
  }
  const bytes = objects.get(permit.key);
  if (bytes === undefined) return xml(404, "NoSuchKey", "The specified key does not exist.");
  const range = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? "");
  if (range === null) return { status: 200, headers: { "content-type": "binary/octet-stream" }, body: bytes };
  const start = Number(range[1]);
  const end = Math.min(range[2] === "" ? bytes.length : Number(range[2]) + 1, bytes.length);
  if (start >= end) return xml(416, "InvalidRange", "out of range");
  const contentRange = `bytes ${start}-${end - 1}/${bytes.length}`;
  return { status: 206, headers: { "content-range": contentRange }, body: bytes.subarray(start, end) };
}

function xml(status: number, code: string, message: string): Reply {
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${message}</Message></Error>`;
  return { status, headers: { "content-type": "application/xml" }, body };
}

function send(response: ServerResponse, request: IncomingMessage, { status, headers = {}, body = "" }: Reply): void {
  response.writeHead(status, { "content-length": Buffer.byteLength(body), ...headers });
  response.end(request.method === "HEAD" ? undefined : body);
}
