/** Whom TLS trusts: Node's built-in authorities, and those of --ca-file, SSL_CERT_FILE and NODE_EXTRA_CA_CERTS. */
import { createSecureContext, rootCertificates, type SecureContext } from "node:tls";
import type { Log } from "../call.ts";
import { SregistryError } from "../errors.ts";
import { shellWord } from "../shell-word.ts";
import type { Environment } from "./proxy.ts";

export interface TrustOptions {
  /** PEM file of --ca-file. */
  readonly caFile?: string | undefined;
  readonly env: Environment;
  /** Reads a text file; this room does not touch the disk. */
  readonly readFile: (path: string) => Promise<string>;
  readonly log: Log;
}

const PEM = /-----BEGIN (?:TRUSTED )?CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END (?:TRUSTED )?CERTIFICATE-----/g;

/**
 * The TLS context to connect with; undefined when Node's own default will do. A `ca` of one's own replaces the built-in
 * authorities and what Node read from NODE_EXTRA_CA_CERTS at its start, so both are put back in.
 * @throws SregistryError CONFIG_INVALID naming the file and who named it.
 */
export async function trustContext(options: TrustOptions): Promise<SecureContext | undefined> {
  const certificateFile = options.env["SSL_CERT_FILE"];
  const named = [
    ...(options.caFile === undefined ? [] : [await certificates(options.caFile, "--ca-file", options)]),
    ...(certificateFile ? [await certificates(certificateFile, "SSL_CERT_FILE", options)] : []),
  ].flat();
  if (named.length === 0) return undefined;
  const ca = [...new Set([...rootCertificates, ...(await nodeExtra(options)), ...named])];
  try {
    return createSecureContext({ ca });
  } catch (cause) {
    throw new SregistryError("CONFIG_INVALID", "a certificate of --ca-file or SSL_CERT_FILE is damaged", { cause });
  }
}

/** Node itself only warns when this file is no good, so it stops nothing here either. */
async function nodeExtra(options: TrustOptions): Promise<readonly string[]> {
  const file = options.env["NODE_EXTRA_CA_CERTS"];
  if (!file) return [];
  try {
    return await certificates(file, "NODE_EXTRA_CA_CERTS", options);
  } catch (error) {
    options.log.warn(error instanceof Error ? error.message : String(error));
    return [];
  }
}

async function certificates(file: string, from: string, options: TrustOptions): Promise<readonly string[]> {
  const text = await options.readFile(file).catch((cause: unknown) => {
    // Node appends the call and the path: `ENOENT: no such file or directory, open '/x.pem'`.
    const reason = (cause instanceof Error ? cause.message : String(cause)).replace(/, open '.*'$/, "");
    const hint = `ls -ld ${shellWord(file)}`;
    throw new SregistryError("CONFIG_INVALID", `${from}: ${JSON.stringify(file)} cannot be read: ${reason}`, {
      hint,
      cause,
    });
  });
  const found = text.match(PEM) ?? [];
  if (found.length > 0) return found;
  throw new SregistryError("CONFIG_INVALID", `${from}: ${JSON.stringify(file)} holds no certificate in PEM form`, {
    hint: `openssl x509 -in ${shellWord(file)} -inform DER -out ca.pem`,
  });
}
