/** One thing a check found, with the way to mend it. */
import type { RepoPath } from "../../reference/reference.ts";

export type ProblemKind =
  /** A blob whose bytes are not those of its digest. */
  | "damaged"
  /** A manifest, or a blob that one needs, is not there. */
  | "missing"
  /** index.json or oci-layout cannot be read, or is not there. */
  | "layout"
  /** The list of what refers to a manifest is wrong. */
  | "referrers"
  | "unused"
  | "upload"
  | "temporary";

export interface Finding {
  readonly kind: ProblemKind;
  readonly repository: RepoPath;
  /** One line, without the repository's name. */
  readonly message: string;
  /** Mends it and says, in a few words, what was done. */
  readonly repair: () => Promise<string>;
}
