/** What the operations stand on: one transport, one chooser of endpoints, one default registry; each built on first use. */
import { join } from "node:path";
import type { Log } from "../call.ts";
import type { Config } from "../config/config.ts";
import type { Credentials } from "../credentials/chain.ts";
import type { Transport } from "../http/transport.ts";
import { formatReference } from "../reference/format.ts";
import type { Pattern } from "../reference/pattern.ts";
import type { Host, PlacedReference, Reference, RepoPath } from "../reference/reference.ts";
import { createOpener, type Opener } from "../registry/open.ts";
import { type DefaultRegistry, parseDefaultRegistry, placeReference } from "./default-registry.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

export interface ServiceOptions {
  readonly env: Environment;
  /** The user's home directory. */
  readonly home: string;
  readonly cwd: string;
  readonly userAgent: string;
  readonly log: Log;
  readonly registry?: string;
  readonly store?: string;
  readonly authfile?: string;
  readonly caFile?: string;
  readonly plainHttp?: boolean;
  readonly insecureTls?: boolean;
  readonly offline?: boolean;
}

export interface Services extends AsyncDisposable {
  readonly cwd: string;
  readonly log: Log;
  readonly open: Opener;
  /** Directory of the embedded registry. */
  readonly store: string;
  /** Directory of the content-addressed image cache. */
  readonly cacheDirectory: string;
  place(reference: Reference): PlacedReference;
  placePattern(pattern: Pattern): PatternPlace;
  transport(): Promise<Transport>;
  credentials(): Promise<Credentials>;
  baseUrl(host: Host): Promise<URL>;
}

/** Where a pattern's answers come from, and how to write them so that they can be pasted back. */
export interface PatternPlace {
  at(path: RepoPath): PlacedReference;
  show(reference: PlacedReference): string;
}
