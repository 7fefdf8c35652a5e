/** What the auth decorator asks for: a secret that belongs to one host. Implemented by src/credentials. */
import type { Secret } from "../secret.ts";

export type Credential = {
  /** Where it was found, for -v: file and key, environment variable, helper. Never the secret. */
  readonly from: string;
} & (
  | { readonly kind: "basic"; readonly username: string; readonly password: Secret }
  /** An OAuth2 refresh token ("identity token" in docker's config): exchanged at the realm. */
  | { readonly kind: "identity"; readonly username?: string; readonly token: Secret }
  /** Sent as it is: `Authorization: Bearer`. */
  | { readonly kind: "bearer"; readonly token: Secret }
);

export interface CredentialQuery {
  /** `host[:port]` of the registry as the user names it. */
  readonly host: string;
  /** Repository path, for credentials kept per repository. */
  readonly repository?: string;
  /** netrc is only read for https. */
  readonly secure: boolean;
  readonly signal: AbortSignal;
}

export interface CredentialSource {
  /** What to type where a login is missing or wrong; undefined: `sregistry login HOST`. */
  readonly login?: string;
  /** The first hit, or undefined for anonymous. A broken file or helper throws: it is never "no credential". */
  find(query: CredentialQuery): Promise<Credential | undefined>;
}
