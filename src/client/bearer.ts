/** One token for one host: what a transport carries that was made for a library, or for a token to be proven. */
import type { CredentialSource } from "../http/credential.ts";
import type { Secret } from "../secret.ts";

export function bearer(host: string, token: Secret, from = "this command", login?: string): CredentialSource {
  return {
    find: async (query) => (query.host === host ? { kind: "bearer", token, from } : undefined),
    ...(login === undefined ? {} : { login }),
  };
}

/** No token; `login` says how one is got. */
export function noBearer(login: string): CredentialSource {
  return { find: async () => undefined, login };
}
