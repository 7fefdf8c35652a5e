/** What a client is told when a request cannot be answered (distribution-spec, "Error Codes"; other protocols' forms). */
import type { OutgoingHttpHeaders } from "node:http";
import { type ErrorCode, SregistryError, systemCode } from "../errors.ts";

/** The codes of the specification, and distribution's for what it has none. */
export type ApiCode =
  | "BLOB_UNKNOWN"
  | "BLOB_UPLOAD_INVALID"
  | "BLOB_UPLOAD_UNKNOWN"
  | "DIGEST_INVALID"
  | "MANIFEST_BLOB_UNKNOWN"
  | "MANIFEST_INVALID"
  | "MANIFEST_UNKNOWN"
  | "NAME_INVALID"
  | "NAME_UNKNOWN"
  | "SIZE_INVALID"
  | "UNAUTHORIZED"
  | "DENIED"
  | "UNSUPPORTED"
  | "PAGINATION_NUMBER_INVALID"
  | "UNAVAILABLE"
  | "UNKNOWN";

/** `oci`: a list of errors; `library`: one error with the status as its code; `detail`: Django REST framework's. */
export type ErrorForm = "oci" | "library" | "detail";

export interface FailureDetails {
  readonly detail?: unknown;
  readonly headers?: OutgoingHttpHeaders;
  readonly cause?: unknown;
}

export class Failure extends Error {
  readonly status: number;
  readonly code: ApiCode;
  readonly detail: unknown;
  readonly headers: OutgoingHttpHeaders;

  constructor(status: number, code: ApiCode, message: string, { detail, headers, cause }: FailureDetails = {}) {
    super(message, { cause });
    this.status = status;
    this.code = code;
    this.detail = detail;
    this.headers = headers ?? {};
  }

  body(form: ErrorForm = "oci"): string {
    if (form === "library") {
      // `message` besides, since Singularity Registry Server and Hinkskalle say some of theirs so.
      return JSON.stringify({ error: { code: this.status, message: this.message }, message: this.message });
    }
    if (form === "detail") return JSON.stringify({ detail: this.message });
    const error = {
      code: this.code,
      message: this.message,
      ...(this.detail === undefined ? {} : { detail: this.detail }),
    };
    return JSON.stringify({ errors: [error] });
  }
}

/** For a repository that is not there, and in the same words for one that is not for the eyes of who asks. `name`: as they gave it. */
export function noRepository(name: string): Failure {
  return new Failure(404, "NAME_UNKNOWN", `there is no repository ${name}`);
}

/** What the store's error means to a client, where the operation knows better than `toFailure`. */
export type Meanings = Partial<Record<ErrorCode, readonly [status: number, code: ApiCode]>>;

/** Runs `work`; an error of the store with one of the codes becomes the failure it means here. */
export async function meaning<T>(meanings: Meanings, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    const meant = cause instanceof SregistryError ? meanings[cause.code] : undefined;
    if (meant === undefined || !(cause instanceof Error)) throw cause;
    throw new Failure(meant[0], meant[1], cause.message, { cause });
  }
}

export function toFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  if (!(error instanceof SregistryError)) return new Failure(500, "UNKNOWN", "the registry failed", { cause: error });
  const full = ["ENOSPC", "EDQUOT"].includes(systemCode(error.cause) ?? "");
  switch (error.code) {
    case "REFERENCE_INVALID":
      return new Failure(400, "NAME_INVALID", error.message, { cause: error });
    case "NOT_FOUND":
      return new Failure(404, "NAME_UNKNOWN", error.message, { cause: error });
    case "CONFLICT":
      return new Failure(409, "DENIED", error.message, { cause: error });
    case "LOCKED":
      return new Failure(503, "UNAVAILABLE", error.message, { cause: error, headers: { "retry-after": "1" } });
    case "DISK":
      // Paths of this machine are in the message, and nobody else's business.
      return new Failure(
        full ? 507 : 500,
        "UNKNOWN",
        full ? "the registry's disk is full" : "the registry's disk failed",
        {
          cause: error,
        },
      );
    default:
      return new Failure(500, "UNKNOWN", "the registry's store is damaged or failed", { cause: error });
  }
}
