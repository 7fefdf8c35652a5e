/** Composition root: what a verb may ask for. Each part is built on first use and remembered. */
import { arch, homedir, platform } from "node:os";
import type { Readable } from "node:stream";
import type { Call } from "./call.ts";
import type { Environment, Services } from "./client/services.ts";
import type { GlobalFlags } from "./commands/globals.ts";
import { SregistryError } from "./errors.ts";
import type { Terminal } from "./terminal/terminal.ts";
import { VERSION } from "./version.ts";

export interface Context extends AsyncDisposable {
  readonly flags: GlobalFlags;
  readonly version: string;
  readonly platform: { readonly node: string; readonly platform: string; readonly architecture: string };
  readonly cwd: string;
  readonly terminal: Terminal;
  call(): Promise<Call>;
  services(): Promise<Services>;
  /** All of standard input, for secrets and lists; at most 1 MiB. */
  readInput(): Promise<string>;
}

export interface ContextOptions {
  readonly flags: GlobalFlags;
  readonly env: Environment;
  readonly cwd: string;
  readonly stdin: Readable;
  readonly nodeVersion: string;
  readonly signal: AbortSignal;
  readonly finishing: NonNullable<Call["finishing"]>;
  readonly terminal: Terminal;
}

const INPUT_LIMIT = 1024 * 1024;

export function createContext(options: ContextOptions): Context {
  const { flags, env, cwd, stdin, nodeVersion, signal, finishing, terminal } = options;
  let services: Promise<Services> | undefined;
  const buildServices = async (): Promise<Services> => {
    const { createServices } = await import("./client/services.ts");
    return createServices({
      env,
      // HOME is honoured, and a process without one (some batch systems) still has an entry in passwd.
      home: env["HOME"] ?? homedir(),
      cwd,
      userAgent: `sregistry/${VERSION} (node ${nodeVersion}; ${platform()} ${arch()})`,
      log: terminal.log,
      flags,
      signal,
    });
  };
  const remembered = (): Promise<Services> => {
    services ??= buildServices();
    return services;
  };
  return {
    flags,
    version: VERSION,
    platform: { node: nodeVersion, platform: platform(), architecture: arch() },
    cwd,
    terminal,
    async call() {
      const { config } = await remembered();
      return { signal, finishing, progress: await terminal.progress(config.progress), log: terminal.log };
    },
    services: remembered,
    readInput: () => readAll(stdin, signal),
    async [Symbol.asyncDispose]() {
      const built = await services?.catch(() => undefined);
      await built?.[Symbol.asyncDispose]();
    },
  };
}

async function readAll(stdin: Readable, signal: AbortSignal): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stdin) {
    signal.throwIfAborted();
    const bytes = Buffer.from(chunk);
    size += bytes.length;
    if (size > INPUT_LIMIT) throw new SregistryError("USAGE", "standard input is longer than 1 MiB");
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString("utf8");
}
