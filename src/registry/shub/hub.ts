/** What every request to a shub server needs, and how its failures are told. */
import { SregistryError } from "../../errors.ts";
import type { RetryLimits } from "../../http/retry-policy.ts";
import type { Transport } from "../../http/transport.ts";

export interface Hub {
  /** For messages. */
  readonly name: string;
  readonly base: URL;
  readonly transport: Transport;
  /** Private images are asked for again with a signature. */
  readonly hmac: boolean;
  readonly retry: Partial<RetryLimits> | undefined;
}

/** `path` below the base, which may have a path of its own. */
export function hubUrl({ base }: Pick<Hub, "base">, path: string): URL {
  return new URL(`${base.origin}${base.pathname.replace(/\/+$/, "")}${path}`);
}

/** singularityhub.github.io: no builds and no pushes since April 2021, and the images moved. */
export function aboutArchive({ base }: Pick<Hub, "base">, error: unknown): unknown {
  if (base.hostname !== "singularity-hub.org" || !(error instanceof SregistryError)) return error;
  const { code, message, status, retryAfter } = error;
  return new SregistryError(code, message, {
    hint: "Singularity Hub is archived since 2021; for another server name its host: shub://HOST/collection/name:tag",
    cause: error,
    ...(status === undefined ? {} : { status }),
    ...(retryAfter === undefined ? {} : { retryAfter }),
  });
}
