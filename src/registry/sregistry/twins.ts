/**
 * Singularity Registry Server 2.1 (API 2.0.0-alpha.1) takes a tag from whoever had it, looked up by container and tag over all
 * collections: a push of `a/app:v1` by the library protocol deletes somebody else's `b/app:v1`.
 */
import type { Call } from "../../call.ts";
import { field, object, optional, string } from "../../decode.ts";
import { type ErrorCode, isCode } from "../../errors.ts";
import type { SregistryApi } from "./api.ts";
import { type ImageName, uriOf } from "./names.ts";
import { findTwins } from "./rows.ts";

const SILENCE: readonly ErrorCode[] = [
  "NOT_FOUND",
  "UNSUPPORTED",
  "UNAUTHORIZED",
  "FORBIDDEN",
  "REFUSED",
  "RATE_LIMITED",
  "REPLY_INVALID",
  "SERVER_ERROR",
];

/** Said and not refused: whose image that is, and whether it matters, is not ours to know. */
export async function warnOfTwins(api: SregistryApi, images: readonly ImageName[], call: Call): Promise<void> {
  try {
    for (const image of images) {
      const twins = await findTwins(api, image, call);
      if (twins.length === 0 || !(await takesTwins(api, call))) continue;
      call.log.warn(
        `${api.name} may delete ${twins.map(uriOf).join(", ")} when ${uriOf(image)} is pushed by the library protocol: a fault of this server, which --protocol hmac avoids`,
      );
    }
  } catch (error) {
    // A server that does not tell keeps nobody from pushing.
    if (!isCode(error, ...SILENCE)) throw error;
    call.log.verbose(`images of the same name in other collections: ${error.message}`);
  }
}

async function takesTwins(api: SregistryApi, call: Call): Promise<boolean> {
  const version = await api.get(
    "/version",
    (value, where) => field(field(object(value, where), "data", object, where), "apiVersion", optional(string), where),
    call,
  );
  return version === "2.0.0-alpha.1";
}
