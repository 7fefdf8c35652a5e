/** Logins for OCI hosts: proven at the registry before they are stored, in the file that Singularity shares. */
import type { Call } from "../call.ts";
import { SregistryError } from "../errors.ts";
import { sameOrigin } from "../http/address.ts";
import { verifyLogin } from "../http/login.ts";
import { parseHost } from "../reference/host.ts";
import type { Host } from "../reference/reference.ts";
import { whoAmI } from "../remote/account.ts";
import { Secret } from "../secret.ts";
import { bearer } from "./bearer.ts";
import type { Services } from "./services.ts";

export interface LoginInput {
  readonly host: Host;
  readonly username: string;
  readonly password: Secret;
}

/** `oras://ghcr.io`, `docker://ghcr.io` and `https://ghcr.io/` are understood as their host. */
export function hostOf(word: string): Host {
  const [host = ""] = word.replace(/^(?:oras|docker|https?):\/\//, "").split("/");
  return parseHost(host);
}

/** The same for a word that may be the name of an OCI registry among the remotes. */
export function loginHost({ config }: Pick<Services, "config">, word: string): Host {
  return hostOf(config.remotes?.get(word) ?? word);
}

/** @throws SregistryError USAGE for none. */
export function passwordOf(text: string): Secret {
  if (text === "") throw new SregistryError("USAGE", "the password is empty");
  return new Secret(text);
}

/**
 * `owner`: whose the password is, where the server says so and it is a token that any user name goes with.
 * @throws SregistryError UNAUTHORIZED for a wrong password; nothing is stored then.
 */
export async function login(
  services: Services,
  { host, username, password }: LoginInput,
  call: Call,
): Promise<{ readonly path: string; readonly owner: string | undefined }> {
  const { proven } = await verifyLogin(services.anonymousTransport(host), {
    base: services.baseUrl(host),
    credential: { kind: "basic", username, password, from: "this command" },
    trustedRealms: services.trustedRealms(host),
    signal: call.signal,
    log: call.log,
  });
  if (!proven) call.log.warn(`${host} asks for no login, so this one could not be checked`);
  const owner = proven ? await ownerOf(services, host, password, call) : undefined;
  const { path } = await services.credentials.saveLogin(host, { username, password }, call.signal);
  return { path, owner };
}

/** Singularity Registry Servers take a token for a password, whatever the user name. Undefined elsewhere. */
async function ownerOf(
  services: Services,
  host: Host,
  password: Secret,
  { signal, log }: Call,
): Promise<string | undefined> {
  const base = services.baseUrl(host);
  try {
    const { library, services: offered, sregistry } = await services.libraries.speaks(base);
    if (!sregistry || library === undefined || !sameOrigin(library, base)) return undefined;
    const transport = services.transportWith(host, bearer(host, password));
    return (await whoAmI(transport, { ...offered, library }, signal)).username;
  } catch (error) {
    // The login is good, and that is all that was asked for.
    if (!(error instanceof SregistryError) || signal.aborted) throw error;
    log.verbose(`${host} does not say whose the login is: ${error.message}`);
    return undefined;
  }
}

/** @throws SregistryError NOT_FOUND when there is no login for the host. */
export async function logout(services: Services, host: Host, call: Call): Promise<{ readonly path: string }> {
  return services.credentials.removeLogin(host, call.signal);
}
