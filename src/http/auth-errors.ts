/** The ways of not being let in, each with its own words: no login, a wrong one, one without the right, a realm not trusted. */
import { enriched, isCode, SregistryError } from "../errors.ts";
import type { Challenge } from "./challenge.ts";
import type { Credential } from "./credential.ts";
import { errorWords, loginName } from "./status.ts";
import type { RegistryRequest, Ticket } from "./tickets.ts";
import type { HttpResponse } from "./transport.ts";

/** The error for a 401 that stays. `tried`: what was sent last; `credential`: what is known for this origin; `login`: of its source. */
export async function unauthorized(
  request: RegistryRequest,
  response: HttpResponse,
  challenges: readonly Challenge[],
  tried: Ticket | undefined,
  credential: Credential | undefined,
  login?: string,
): Promise<SregistryError> {
  const { host } = response.url;
  const refused = (message: string): SregistryError => refusedLogin(host, message, login, tried?.credential);
  const words = await errorWords(response);
  const said = words === "" ? "" : `: ${words}`;
  if (tried?.untrusted !== undefined) return untrustedRealm(response.url, tried.untrusted, words);
  if (tried?.credential === undefined) {
    if (credential === undefined)
      return refused(`${host} wants a login for ${wanted(request)}, and none is known${said}`);
    const offered = challenges.map(({ scheme }) => scheme).join(", ") || "nothing";
    return refused(`the login for ${host} from ${credential.from} is of no use there: it offers ${offered}${said}`);
  }
  const lacking = challenges.some(({ parameters }) => parameters.get("error") === "insufficient_scope");
  if (lacking || tried.kind === "token") {
    return new SregistryError(
      "FORBIDDEN",
      `${who(tried.credential)} may not access ${wanted(request)} at ${host}${said}`,
      {
        status: 401,
        hint: `ask the owner for the right, or log in as somebody else: ${login ?? `sregistry login ${loginName(host)}`}`,
      },
    );
  }
  return refused(`${host} refuses ${who(tried.credential)}: wrong, expired or revoked${said}`);
}

/** The token server took nothing: not this credential, or nobody without one. */
export function badLogin(
  registry: URL,
  realm: URL,
  credential: Credential | undefined,
  words: string,
  login?: string,
): SregistryError {
  const server = realm.host === registry.host ? registry.host : `${realm.host} (token server of ${registry.host})`;
  if (credential === undefined)
    return refusedLogin(registry.host, `${server} wants a login, and none is known: ${words}`, login);
  return refusedLogin(
    registry.host,
    `${server} refuses ${who(credential)}: wrong, expired or revoked: ${words}`,
    login,
  );
}

export function untrustedRealm(registry: URL, realm: URL, words = ""): SregistryError {
  const said = words === "" ? "" : ` (${words})`;
  return new SregistryError(
    "UNAUTHORIZED",
    `${registry.host} wants its login sent to ${realm.origin}, which is not known to belong to it; it was not sent there${said}`,
    { hint: `if ${realm.host} is the right token server: --trust-realm ${realm.host}` },
  );
}

/** A token alone is a remote's: a login at the host, with a user name, would not replace it. */
function refusedLogin(
  host: string,
  message: string,
  login: string | undefined,
  credential?: Credential,
): SregistryError {
  const usual = credential?.kind === "bearer" ? "sregistry remote login NAME" : `sregistry login ${loginName(host)}`;
  return new SregistryError("UNAUTHORIZED", message, { status: 401, hint: login ?? usual });
}

function who(credential: Credential): string {
  const name = credential.kind === "bearer" ? undefined : credential.username;
  return `the ${credential.kind === "basic" ? "login" : "token"}${name === undefined ? "" : ` of ${JSON.stringify(name)}`} from ${credential.from}`;
}

function wanted({ method, url, auth }: RegistryRequest): string {
  return auth.repository ?? `${method} ${url.pathname}`;
}

/** A host that nobody typed has failed: it is said where its name comes from. */
export function noToken(registry: URL, realm: URL, error: unknown): unknown {
  if (!(error instanceof SregistryError) || realm.host === registry.host) return error;
  const message = `the token server that ${registry.host} names: ${error.message}`;
  return isCode(error, "NETWORK", "TIMEOUT")
    ? enriched(error, { message, hint: `is it reached from here? curl -I ${realm.origin}` })
    : enriched(error, { message });
}
