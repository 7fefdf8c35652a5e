/** Every connection of the program is made by a transport of this place: flags and configuration are applied once. */
import { readFile } from "node:fs/promises";
import type { Log } from "../call.ts";
import type { Config } from "../config/config.ts";
import { SregistryError } from "../errors.ts";
import { baseUrl as urlOf } from "../http/address.ts";
import type { CredentialSource } from "../http/credential.ts";
import type { HmacLogin } from "../http/hmac.ts";
import { createTransport } from "../http/index.ts";
import type { Transport } from "../http/transport.ts";
import type { Host } from "../reference/reference.ts";
import type { Environment, ServiceFlags } from "./services.ts";

export interface TransportLogin {
  readonly credentials?: CredentialSource;
  /** For the old client's protocol. */
  readonly hmac?: HmacLogin;
}

export interface Transports extends AsyncDisposable {
  /** A new one; --insecure-tls applies to `host` alone. @throws SregistryError USAGE with --offline: trying again would not help. */
  make(host: Host, login?: TransportLogin): Transport;
  /** Where `host` is asked: https unless it is loopback or the user said otherwise. */
  baseUrl(host: Host): URL;
  /** An http(s) URL of the user settles the scheme for its host. */
  settle(url: URL): void;
  /** Token servers that the user vouches for, for this registry. */
  trustedRealms(host: Host): readonly string[];
}

export interface TransportsOptions {
  readonly env: Environment;
  readonly userAgent: string;
  readonly log: Log;
  readonly flags: ServiceFlags;
  readonly config: Config;
  /** Of a request; undefined: as many as are usual. */
  readonly tries?: number | undefined;
}

export function createTransports({ env, userAgent, log, flags, config, tries }: TransportsOptions): Transports {
  const made: Transport[] = [];
  const schemes = new Map<string, "http:" | "https:">();
  const trustedRealms = (host: Host): readonly string[] => [
    ...(flags.trustRealm ?? []),
    ...(config.trustedRealms.get(host) ?? []),
  ];

  /** Loopback is plain http by default only: an https URL, or a flag about certificates, asks for TLS there too. */
  function baseUrl(host: Host): URL {
    const settled = schemes.get(host);
    if (flags.plainHttp === true || settled === "http:") return urlOf(host, { plainHttp: true });
    const tls = settled === "https:" || flags.insecureTls === true || flags.caFile !== undefined;
    return tls ? new URL(`https://${host}/`) : urlOf(host, { plainHttp: config.plainHttp.includes(host) });
  }

  return {
    trustedRealms,
    baseUrl,
    settle({ host, protocol }) {
      if (protocol === "http:" || protocol === "https:") schemes.set(host, protocol);
    },
    make(host, login = {}) {
      if (flags.offline === true) throw refusedOffline(host);
      const transport = createTransport({
        userAgent,
        env,
        caFile: flags.caFile ?? config.caFile,
        readFile: (path) => readFile(path, "utf8"),
        insecureHosts: flags.insecureTls === true ? [host] : [],
        trustedRealms: trustedRealms(host),
        log,
        retry: {
          ...(tries === undefined ? {} : { tries }),
          ...(config.retryAfterLimit === undefined ? {} : { longestRetryAfter: config.retryAfterLimit }),
        },
        ...login,
      });
      made.push(transport);
      return transport;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(made.map((one) => one.close()));
    },
  };
}

function refusedOffline(host: Host): SregistryError {
  return new SregistryError("USAGE", `${host} cannot be asked: --offline opens no connection`, {
    hint: "run it once without --offline",
  });
}
