/** Small things that tests of the HTTP room share. */

import { type ErrorCode, SregistryError } from "../../src/errors.ts";
import type { Credential, CredentialQuery, CredentialSource } from "../../src/http/credential.ts";
import { createTransport, type TransportOptions } from "../../src/http/index.ts";
import type { HttpRequest, Transport } from "../../src/http/transport.ts";
import { Secret } from "../../src/secret.ts";

export interface TestClient extends Transport {
  /** Everything logged, `level: text`. */
  readonly lines: string[];
}

/** Tries again within milliseconds, and gives up waiting soon. */
export function testClient(options: Partial<TransportOptions> = {}): TestClient {
  const lines: string[] = [];
  const note = (level: string) => (text: string) => void lines.push(`${level}: ${text}`);
  const transport = createTransport({
    userAgent: "sregistry/test",
    retry: { base: 1, cap: 2 },
    timeouts: { headers: 2000, idle: 2000 },
    log: { info: note("info"), warn: note("warn"), verbose: note("verbose"), debug: note("debug") },
    ...options,
  });
  return { lines, send: (request) => transport.send(request), close: () => transport.close() };
}

/** A GET without a login that is not tried again, but for what `more` says. */
export function requestTo(url: URL, more: Partial<HttpRequest> = {}): HttpRequest {
  return {
    method: "GET",
    url,
    accept: [200],
    auth: { kind: "none" },
    retry: "never",
    signal: new AbortController().signal,
    ...more,
  };
}

export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string | undefined;
}

/** How `promise` fails; throws when it does not, or not with an error of ours. */
export async function failureOf(promise: Promise<unknown>): Promise<Failure> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof SregistryError) return { code: error.code, message: error.message, hint: error.hint };
    throw error;
  }
  throw new Error("it did not fail");
}

export function basic(username: string, password: string): Credential {
  return { kind: "basic", from: "the test", username, password: new Secret(password) };
}

/** A source that knows one host, and the queries it was asked. */
export function knows(
  host: string,
  credential: Credential,
): CredentialSource & { readonly queries: CredentialQuery[] } {
  const queries: CredentialQuery[] = [];
  return {
    queries,
    async find(query) {
      queries.push(query);
      return query.host === host ? credential : undefined;
    },
  };
}
