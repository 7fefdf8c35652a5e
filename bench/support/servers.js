/** What the measured programs talk to: a registry on a directory, a proxy with slow connections, a repository of many tags. */
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createServer as createHttpServer } from "node:http";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { find } from "./measure.js";

/** @typedef {{ host: string, stop: () => void }} Server */

/** @param {import("node:net").Server} server @returns {Promise<number>} the port */
function listening(server) {
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      resolve(typeof address === "object" ? (address?.port ?? 0) : 0);
    });
  });
}

/** @param {string} directory @returns {Promise<Server>} distribution v3 */
export async function startRegistry(directory) {
  const program = find("registry");
  if (program === undefined) throw new Error("registry (distribution v3) is missing");
  const probe = createServer();
  const port = await listening(probe);
  await new Promise((resolve) => probe.close(resolve));
  const config = join(directory, "registry.yml");
  writeFileSync(
    config,
    `version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: ${directory}/registry}, delete: {enabled: true}}\nhttp: {addr: "127.0.0.1:${port}", secret: bench}\n`,
  );
  const child = spawn(program, ["serve", config], { stdio: "ignore", env: { OTEL_TRACES_EXPORTER: "none" } });
  for (let tries = 0; tries < 100; tries += 1) {
    const up = await fetch(`http://127.0.0.1:${port}/v2/`).then(
      () => true,
      () => false,
    );
    if (up) break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return { host: `127.0.0.1:${port}`, stop: () => child.kill() };
}

/**
 * Gives each connection so many bytes a second of what `upstream` answers.
 * @param {string} upstream host:port @param {number} bytesPerSecond @returns {Promise<Server>}
 */
export async function startThrottle(upstream, bytesPerSecond) {
  const [host, port] = upstream.split(":");
  const server = createServer((client) => {
    const registry = connect(Number(port), host);
    let began = performance.now();
    let sent = 0;
    client.pipe(registry);
    registry.on("data", (chunk) => {
      const now = performance.now();
      // What was not used while nothing was asked for is not made up for later.
      if (began + (sent / bytesPerSecond) * 1000 < now) {
        began = now;
        sent = 0;
      }
      sent += chunk.length;
      registry.pause();
      client.write(chunk, () => setTimeout(() => registry.resume(), began + (sent / bytesPerSecond) * 1000 - now));
    });
    for (const [one, other] of [
      [client, registry],
      [registry, client],
    ]) {
      one?.on("error", () => other?.destroy());
      one?.on("close", () => other?.destroy());
    }
  });
  return { host: `127.0.0.1:${await listening(server)}`, stop: () => void server.close() };
}

/** @param {number} count @returns {Promise<Server>} an OCI registry with one repository of `count` tags, 100 a page */
export async function startManyTags(count) {
  const server = createHttpServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://bench");
    const from = Number(url.searchParams.get("last")?.slice(1) ?? -1) + 1;
    const tags = Array.from({ length: Math.min(100, count - from) }, (_, at) => `t${from + at}`);
    const next = from + tags.length;
    if (next < count) response.setHeader("link", `<${url.pathname}?n=100&last=t${next - 1}>; rel="next"`);
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(url.pathname === "/v2/" ? {} : { name: "bench/many", tags }));
  });
  return { host: `127.0.0.1:${await listening(server)}`, stop: () => void server.close().closeAllConnections() };
}
