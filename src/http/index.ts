/** The one HTTP client, as a stack of decorators with one job each. The whole order is in one line of `createTransport`. */
import { type Log, silentLog } from "../call.ts";
import { SregistryError } from "../errors.ts";
import { auth } from "./auth.ts";
import type { CredentialSource } from "./credential.ts";
import { type HmacLogin, hmac } from "./hmac.ts";
import type { Environment } from "./proxy.ts";
import { redirect } from "./redirect.ts";
import { retry } from "./retry.ts";
import type { RetryLimits, RetryStats } from "./retry-policy.ts";
import { status } from "./status.ts";
import { trace } from "./trace.ts";
import type { Transport } from "./transport.ts";
import type { Timeouts, WireOptions } from "./undici.ts";
import { warning } from "./warning.ts";

export interface TransportOptions {
  /** `sregistry/1.2.3 (node 20.18.1; linux x64)`. */
  readonly userAgent: string;
  /** For the proxy and certificate variables. */
  readonly env?: Environment;
  /** PEM file of --ca-file, trusted besides the built-in authorities. */
  readonly caFile?: string | undefined;
  /** Reads a text file; needed when `caFile` or SSL_CERT_FILE names one. */
  readonly readFile?: (path: string) => Promise<string>;
  /** `host[:port]` whose certificates are not verified (--insecure-tls). */
  readonly insecureHosts?: readonly string[];
  /** Default: everything is asked anonymously. */
  readonly credentials?: CredentialSource;
  /** Signs for Singularity Registry Server's own protocol at one origin; default: such requests go out unsigned. */
  readonly hmac?: HmacLogin;
  /** Token servers the user vouches for: URL, `host` or `host:port`. */
  readonly trustedRealms?: readonly string[];
  readonly timeouts?: Partial<Timeouts>;
  readonly retry?: Partial<RetryLimits>;
  /** Counts retries; read it when the work is done. */
  readonly stats?: RetryStats;
  readonly log?: Log;
}

/** Milliseconds (trust.md, section 1). */
const TIMEOUTS: Timeouts = { connect: 15_000, headers: 60_000, idle: 60_000 };

const ANONYMOUS: CredentialSource = { find: async () => undefined };

export function createTransport(options: TransportOptions): Transport {
  const { log = silentLog, credentials = ANONYMOUS, trustedRealms = [], stats } = options;
  const again = { limits: options.retry, log, stats };
  const wire = trace(warning(lazyWire(options, log), log), log);
  const tokens = retry(status(wire), again);
  const known = hmac(auth(wire, { credentials, tokens, trustedRealms, log }), { login: options.hmac, log });
  return retry(status(redirect(known)), again);
}

/** undici is loaded by the first request: many verbs end without one. */
function lazyWire(options: TransportOptions, log: Log): Transport {
  let loaded: Promise<Transport> | undefined;
  const load = async () => {
    const { createWire } = await import("./undici.ts");
    const wireOptions: WireOptions = {
      userAgent: options.userAgent,
      env: options.env ?? {},
      caFile: options.caFile,
      readFile: options.readFile ?? unreadable,
      insecureHosts: (options.insecureHosts ?? []).map((host) => host.toLowerCase()),
      timeouts: { ...TIMEOUTS, ...options.timeouts },
      log,
    };
    return createWire(wireOptions);
  };
  return {
    async send(request) {
      loaded ??= load().catch((error: unknown) => {
        loaded = undefined;
        throw error;
      });
      return (await loaded).send(request);
    },
    async close() {
      await (await loaded)?.close();
    },
  };
}

async function unreadable(): Promise<string> {
  throw new SregistryError("INTERNAL", "this transport was made without a way to read files");
}
