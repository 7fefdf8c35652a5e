/** Logins for OCI hosts: proven at the registry before they are stored, in the file that Singularity shares. */
import type { Call } from "../call.ts";
import { verifyLogin } from "../http/login.ts";
import type { Host } from "../reference/reference.ts";
import type { Secret } from "../secret.ts";
import type { Services } from "./services.ts";

export interface LoginInput {
  readonly host: Host;
  readonly username: string;
  readonly password: Secret;
}

/** @throws SregistryError UNAUTHORIZED for a wrong password; nothing is stored then. */
export async function login(
  services: Services,
  { host, username, password }: LoginInput,
  call: Call,
): Promise<{ readonly path: string }> {
  const { proven } = await verifyLogin(services.anonymousTransport(host), {
    base: services.baseUrl(host),
    credential: { kind: "basic", username, password, from: "this command" },
    trustedRealms: services.trustedRealms(host),
    signal: call.signal,
    log: call.log,
  });
  if (!proven) call.log.warn(`${host} asks for no login, so this one could not be checked`);
  return services.credentials.saveLogin(host, { username, password }, call.signal);
}

/** @throws SregistryError NOT_FOUND when there is no login for the host. */
export async function logout(services: Services, host: Host, call: Call): Promise<{ readonly path: string }> {
  return services.credentials.removeLogin(host, call.signal);
}
