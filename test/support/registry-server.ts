/** The embedded registry on a fresh store, and plain HTTP requests to it: any header, any host name, cut anywhere. */
import { mkdtemp, rm } from "node:fs/promises";
import { request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLog } from "../../src/call.ts";
import { digestOf } from "../../src/reference/digest.ts";
import { openStore } from "../../src/registry/local/index.ts";
import { createRegistryServer, type RegistryServer, type ServerOptions } from "../../src/server/server.ts";

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

export interface Ask {
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
}

export interface TestServer extends AsyncDisposable {
  readonly url: string;
  /** Directory of the store. */
  readonly root: string;
  readonly server: RegistryServer;
  /** `GET /v2/`, without a body in the answer for HEAD. */
  ask(method: string, path: string, ask?: Ask): Promise<Answer>;
  /** A new server on the same store; the old one is closed. */
  restart(): Promise<TestServer>;
}

export async function testServer(options: Partial<ServerOptions> = {}, at?: string): Promise<TestServer> {
  const root = at ?? join(await mkdtemp(join(tmpdir(), "sregistry-server-")), "store");
  const server = await createRegistryServer({
    store: openStore(root),
    listen: { host: "127.0.0.1", port: 0 },
    log: silentLog,
    ...options,
  });
  return {
    url: server.url,
    root,
    server,
    ask: (method, path, ask) => send(server.url, method, path, ask),
    async restart() {
      await server.close(0);
      return await testServer(options, root);
    },
    async [Symbol.asyncDispose]() {
      await server.close(0);
      await rm(join(root, ".."), { recursive: true, force: true });
    },
  };
}

function send(url: string, method: string, path: string, { headers = {}, body }: Ask = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url);
    const length = body === undefined ? {} : { "content-length": String(Buffer.byteLength(body)) };
    const outgoing = httpRequest({ hostname, port, method, path, agent: false, headers: { ...length, ...headers } });
    outgoing.on("error", reject);
    outgoing.on("response", (incoming) => {
      const chunks: Buffer[] = [];
      incoming.on("error", reject);
      incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
      incoming.on("end", () => {
        resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body: Buffer.concat(chunks) });
      });
    });
    outgoing.end(body);
  });
}

/** Sends `head` and a part of the body as they are, waits until `seen` holds, and breaks the connection. */
export async function cutRequest(
  url: string,
  head: readonly string[],
  body: Uint8Array,
  seen: () => Promise<boolean>,
): Promise<void> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) });
  socket.on("error", () => undefined);
  await new Promise<void>((resolve) => socket.once("connect", resolve));
  socket.write(`${[...head, "", ""].join("\r\n")}`);
  socket.write(body);
  await until(seen);
  socket.resetAndDestroy();
}

export async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 5));
}

export async function pushBlob({ ask }: TestServer, name: string, content: Uint8Array | string): Promise<string> {
  const digest = digestOf(content);
  const { status } = await ask("POST", `/v2/${name}/blobs/uploads/?digest=${digest}`, { body: content });
  if (status !== 201) throw new Error(`blob not taken: ${status}`);
  return digest;
}

/** An image manifest whose blobs are pushed first. */
export async function manifestOf(server: TestServer, name: string, layer: string, more: object = {}): Promise<string> {
  const config = await pushBlob(server, name, "{}");
  const digest = await pushBlob(server, name, layer);
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    config: { mediaType: "application/vnd.sylabs.sif.config.v1+json", size: 2, digest: config },
    layers: [{ mediaType: "application/vnd.sylabs.sif.layer.v1.sif", size: layer.length, digest }],
    ...more,
  });
}

export const MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json";

export async function pushManifest(server: TestServer, name: string, reference: string, body: string): Promise<Answer> {
  return await server.ask("PUT", `/v2/${name}/manifests/${reference}`, {
    body,
    headers: { "content-type": MANIFEST_TYPE },
  });
}
