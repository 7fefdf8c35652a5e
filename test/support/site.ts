/**
 * Hosts of example.org on this machine: a proxy on loopback that answers https for them with servers of the test, and
 * refuses every other name. What a page says is then run as it is written.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, connect, type Server as NetServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface Site extends AsyncDisposable {
  /** By which a process finds the hosts. */
  readonly env: Readonly<Record<string, string>>;
  /** Requests, as `METHOD https://HOST/path`. */
  readonly requests: readonly string[];
}

/** `hosts`: name -> address of a server that speaks plain http, `http://127.0.0.1:PORT`. */
export async function startSite(hosts: Readonly<Record<string, string>>): Promise<Site> {
  const folder = mkdtempSync(join(tmpdir(), "sregistry-site-"));
  makeCertificate(folder, Object.keys(hosts));
  const requests: string[] = [];
  const read = (name: string) => readFileSync(join(folder, name));
  const tls = createTlsServer({ key: read("key.pem"), cert: read("cert.pem") }, (incoming, answer) => {
    const host = incoming.headers.host ?? "";
    requests.push(`${incoming.method} https://${host}${incoming.url}`);
    forward(hosts[host] ?? "", incoming, answer);
  });
  const tlsPort = await listen(tls);
  const proxy = createServer((_, answer) => answer.writeHead(403).end("https alone goes through here\n"));
  const sockets = new Set<Socket>();
  proxy.on("connect", ({ url = "" }: IncomingMessage, client: Socket) => {
    if (!Object.hasOwn(hosts, url.replace(/:443$/, ""))) {
      client.end("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n");
      return;
    }
    const upstream = connect(tlsPort, "127.0.0.1", () => client.write("HTTP/1.1 200 Connection established\r\n\r\n"));
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => undefined);
    }
    client.pipe(upstream).pipe(client);
  });
  const address = `http://127.0.0.1:${await listen(proxy)}`;
  return {
    env: {
      HTTPS_PROXY: address,
      HTTP_PROXY: address,
      NO_PROXY: "127.0.0.1,localhost",
      SREGISTRY_CA_FILE: join(folder, "cert.pem"),
    },
    requests,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      for (const server of [tls, proxy]) {
        server.closeAllConnections();
        await new Promise((done) => server.close(done));
      }
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function makeCertificate(folder: string, names: readonly string[]): void {
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "key.pem"];
  const name = ["-subj", "/CN=site", "-addext", `subjectAltName=${names.map((one) => `DNS:${one}`).join(",")}`];
  execFileSync("openssl", ["req", "-x509", ...key, "-out", "cert.pem", "-days", "2", ...name], {
    cwd: folder,
    stdio: "ignore",
  });
}

/** The server behind is told that it was https, as a proxy in front of it does. */
function forward(upstream: string, incoming: IncomingMessage, answer: ServerResponse): void {
  const { hostname, port } = new URL(upstream);
  const headers = { ...incoming.headers, "x-forwarded-proto": "https" };
  const outgoing = request({ hostname, port, method: incoming.method, path: incoming.url, headers }, (response) => {
    answer.writeHead(response.statusCode ?? 502, response.headers);
    response.pipe(answer);
  });
  outgoing.on("error", () => answer.destroy());
  incoming.pipe(outgoing);
}

async function listen(server: Server | NetServer): Promise<number> {
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return (server.address() as AddressInfo).port;
}
