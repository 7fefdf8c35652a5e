/**
 * Logins in the environment. They name no host, so they hold for every OCI host that the user names, as they do in
 * Singularity; the transport keeps them from any other origin (redirects, foreign realms and upload locations).
 */
import type { Log } from "../call.ts";
import type { Credential } from "../http/credential.ts";
import { Secret } from "../secret.ts";
import { clean } from "./words.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** User and password are only taken from one row; earlier rows win. */
const VARIABLES: readonly (readonly [username: string, password: string])[] = [
  ["SREGISTRY_USERNAME", "SREGISTRY_PASSWORD"],
  ["APPTAINER_DOCKER_USERNAME", "APPTAINER_DOCKER_PASSWORD"],
  ["SINGULARITY_DOCKER_USERNAME", "SINGULARITY_DOCKER_PASSWORD"],
  ["DOCKER_USERNAME", "DOCKER_PASSWORD"],
];

/** @throws SregistryError CONFIG_INVALID naming a variable with control characters in it. */
export function environmentCredential(env: Environment, log: Log): Credential | undefined {
  for (const [user, secret] of VARIABLES) {
    const username = env[user] ?? "";
    const password = env[secret] ?? "";
    if (username !== "" && password !== "") {
      return {
        kind: "basic",
        username: clean(username, user),
        password: new Secret(clean(password, secret)),
        from: `${user} and ${secret}`,
      };
    }
    if (password !== "") log.warn(`${secret} is not used: ${user} is not set`);
  }
  return undefined;
}
