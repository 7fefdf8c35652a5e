/** How registries differ in what uploads they take. Data, so that a site can say otherwise in its configuration. */

export interface HostRule {
  /** A host, or with a leading `*.` all below a domain. */
  readonly host: string;
  /** `chunked`: ranged PATCHes. `monolithic`: one PUT with the digest known before. */
  readonly mode: "chunked" | "monolithic";
  /** Bytes of a chunk. */
  readonly chunkSize: number;
  /** Counts accepted bytes itself: the server's Range does not move on (ECR, aws/containers-roadmap#2831). */
  readonly ignoresRange?: boolean;
}

export type HostRules = readonly HostRule[];

const MIB = 1024 * 1024;

/** What is tried in turn when a server finds a request too large. */
export const SMALLER_CHUNKS: readonly number[] = [64 * MIB, 16 * MIB, 4 * MIB];

const USUAL = { mode: "chunked", chunkSize: 64 * MIB } as const;

/** Sources: threads named in the entries, and vendors' documentation. First match wins. */
const BUILT_IN: HostRules = [
  // 416 "exceeds the maximum permissible limit of 4.00MiB" for larger ranged PATCHes (oras-project/rust-oci-client#35).
  { host: "ghcr.io", mode: "monolithic", chunkSize: 4 * MIB },
  // No chunked upload (Artifact Registry documentation; containers/skopeo#1101).
  { host: "*.pkg.dev", mode: "monolithic", chunkSize: USUAL.chunkSize },
  { host: "gcr.io", mode: "monolithic", chunkSize: USUAL.chunkSize },
  { host: "*.gcr.io", mode: "monolithic", chunkSize: USUAL.chunkSize },
  // Parts of at least 5 MiB, answers 201 to a PATCH.
  { host: "*.amazonaws.com", ...USUAL, ignoresRange: true },
  { host: "public.ecr.aws", ...USUAL, ignoresRange: true },
  // 413 above some 20 MB reported (goharbor/harbor#23015).
  { host: "*.azurecr.io", mode: "chunked", chunkSize: 16 * MIB },
];

/** What the configuration says, over what is built in. `host` is a name, or name:port; a rule for the name has any port. */
export function ruleFor(host: string, configured: HostRules): HostRule {
  const name = host.replace(/:\d+$/, "");
  const first = (rules: HostRules) => rules.find((one) => matchesHost(one.host, host) || matchesHost(one.host, name));
  return { ...USUAL, ...first(BUILT_IN), ...first(configured), host };
}

function matchesHost(pattern: string, host: string): boolean {
  return pattern.startsWith("*.") ? host.endsWith(pattern.slice(1)) : host === pattern;
}
