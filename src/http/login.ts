/** `sregistry login HOST`: proves a credential against the registry before anything is stored. */
import { type Log, silentLog } from "../call.ts";
import { auth } from "./auth.ts";
import { discard } from "./body.ts";
import type { Credential } from "./credential.ts";
import type { Transport } from "./transport.ts";

export interface Login {
  /** Of the registry: `baseUrl(host)`. */
  readonly base: URL;
  readonly credential: Credential;
  /** Realms vouched for, as in TransportOptions. */
  readonly trustedRealms?: readonly string[];
  readonly signal: AbortSignal;
  readonly log?: Log;
}

export interface LoginResult {
  /** False when the registry asked for no login at all, so that the credential is neither right nor wrong. */
  readonly proven: boolean;
}

/**
 * GET /v2/ with the credential, Basic or by way of the token server.
 * @throws SregistryError UNAUTHORIZED for a wrong credential or a realm that must not have it.
 */
export async function verifyLogin(transport: Transport, login: Login): Promise<LoginResult> {
  let asked = false;
  const credentials = {
    async find() {
      asked = true;
      return login.credential;
    },
  };
  const log = login.log ?? silentLog;
  const proving = auth(transport, {
    credentials,
    tokens: transport,
    trustedRealms: login.trustedRealms ?? [],
    mustProve: true,
    log,
  });
  const response = await proving.send({
    method: "GET",
    url: new URL("/v2/", login.base),
    accept: [200],
    auth: { kind: "registry", scopes: [] },
    retry: "safe",
    signal: login.signal,
  });
  await discard(response);
  return { proven: asked };
}
