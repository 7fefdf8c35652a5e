/** What exit statuses and error codes mean: the man page, docs/errors.md and the help topic are made from these words. */
import { type ErrorCode, EXIT_STATUS } from "./errors.ts";

/** Every status has words: the compiler sees to it. */
const STATUSES: Readonly<Record<0 | (typeof EXIT_STATUS)[ErrorCode], string>> = {
  0: "done, and verified",
  1: "internal error: please report it",
  2: "usage: a flag, a reference or the configuration is wrong",
  3: "not found",
  4: "not logged in, or not allowed",
  5: "conflict: it exists, or is frozen",
  6: "integrity: size or digest is wrong, or a required signature is missing",
  7: "disk: full, over quota, or not writable",
  8: "the endpoint cannot do this",
  75: "worth trying again: network, time-out, 429 and 5xx after retries, waiting for a lock",
  130: "SIGINT: cleaned up, and resumable",
  143: "SIGTERM: cleaned up, and resumable",
};

export interface CodeMeaning {
  readonly meaning: string;
  /** What to do about it, in Markdown; empty where there is nothing. */
  readonly remedy: string;
}

export const CODE_MEANINGS: Readonly<Record<ErrorCode, CodeMeaning>> = {
  INTERNAL: { meaning: "a defect of this program", remedy: "report it with the output of `--debug`" },
  USAGE: { meaning: "a flag or argument is wrong or missing", remedy: "`sregistry help VERB`" },
  REFERENCE_INVALID: {
    meaning: "a name is malformed; the offending part is named",
    remedy: 'see "Names" in the README',
  },
  CONFIG_INVALID: {
    meaning: "a configuration or credential file is broken; it is named, with the line, and left alone",
    remedy: "mend the file",
  },
  TLS_UNVERIFIED: {
    meaning: "the server's certificate is not trusted",
    remedy: "`--ca-file`, or `--insecure-tls` for that host",
  },
  NOT_FOUND: {
    meaning: 'no such file, repository, tag or digest; at some registries also "no access"',
    remedy: "`sregistry list`, `sregistry login`",
  },
  UNAUTHORIZED: { meaning: "not logged in, or a wrong password or token", remedy: "`sregistry login HOST`" },
  FORBIDDEN: { meaning: "logged in, but not allowed", remedy: "ask the registry's owner" },
  CONFLICT: {
    meaning: "the file exists and holds something else; the tag is frozen",
    remedy: "`--force`, or another name",
  },
  INTEGRITY: {
    meaning: "size or digest is wrong, or a file changed while it was pushed",
    remedy: "try again; if it stays, the server's copy is bad",
  },
  IMAGE_INVALID: {
    meaning: "the file is no SIF, or not a whole one",
    remedy: "build or fetch it again; `--any-file` sends it as it is",
  },
  DISK: {
    meaning: "full, over quota, read-only, not permitted, too many open files",
    remedy: "free space, another directory",
  },
  UNSUPPORTED: { meaning: "the endpoint cannot do this", remedy: "" },
  REFUSED: { meaning: "the endpoint refused the request for a reason of its own; its words are shown", remedy: "" },
  REPLY_INVALID: {
    meaning: "the endpoint's answer is not what its protocol says",
    remedy: "is it the right address? `--debug`",
  },
  NETWORK: { meaning: "no connection, or it broke, after retries", remedy: "run the same command again" },
  TIMEOUT: { meaning: "nothing moved for too long, or `--timeout`", remedy: "run the same command again" },
  RATE_LIMITED: { meaning: "429 after retries", remedy: "log in, or wait as long as it says" },
  SERVER_ERROR: { meaning: "5xx after retries", remedy: "run the same command again" },
  LOCKED: { meaning: "another process holds what is needed", remedy: "run the same command again" },
  INTERRUPTED: { meaning: "SIGINT", remedy: "run the same command again: it goes on" },
  TERMINATED: { meaning: "SIGTERM", remedy: "run the same command again: it goes on" },
};

/** Each status with what a script may take it for, in order. */
export const EXIT_MEANINGS: readonly (readonly [status: number, says: string])[] = Object.entries(STATUSES).map(
  ([status, says]) => [Number(status), says],
);

/** The codes that end with a status. */
export function codesOf(status: number): readonly string[] {
  return Object.entries(EXIT_STATUS).flatMap(([code, exit]) => (exit === status ? [code] : []));
}
