/**
 * What the user named: an image at an endpoint. No default host, registry or token from the environment is in here;
 * the client fills those in when it opens the endpoint.
 */
import type { Digest } from "./digest.ts";

declare const brand: unique symbol;

/** `component(/component)*`, each valid for the reference's scheme; at most 255 characters. */
export type RepoPath = string & { readonly [brand]: "RepoPath" };
/** OCI tag grammar: `[A-Za-z0-9_][A-Za-z0-9._-]{0,127}` (distribution-spec, "Pulling manifests"). */
export type Tag = string & { readonly [brand]: "Tag" };
/** `host`, `host:port`, `[ipv6]` or `[ipv6]:port`, lower-cased. */
export type Host = string & { readonly [brand]: "Host" };

export type Selector =
  | { readonly kind: "tag"; readonly tag: Tag }
  | { readonly kind: "digest"; readonly digest: Digest }
  /** shub only: the commit (40 hex) or version (32 hex) that Singularity Hub and its successors pin by. */
  | { readonly kind: "version"; readonly hex: string };

export type Scheme = "library" | "shub" | "oras" | "docker" | "local";

interface Named {
  readonly path: RepoPath;
  readonly selector: Selector;
}

export interface LibraryReference extends Named {
  readonly scheme: "library";
  readonly host?: Host;
  /** All tags of `path:a,b,c` (a push sets each; a pull takes the first, which is `selector`). */
  readonly tags?: readonly Tag[];
}
export interface ShubReference extends Named {
  readonly scheme: "shub";
  readonly host?: Host;
}
export interface OciReference extends Named {
  readonly scheme: "oras" | "docker";
  readonly host: Host;
}
export interface LocalReference extends Named {
  readonly scheme: "local";
}
/** A name without a scheme: it belongs to the default registry. */
export interface BareReference extends Named {
  readonly scheme?: never;
}

export type Reference = LibraryReference | ShubReference | OciReference | LocalReference | BareReference;
/** A reference whose endpoint is settled. */
export type PlacedReference = Exclude<Reference, BareReference>;
