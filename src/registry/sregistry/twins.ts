/**
 * Singularity Registry Server 2.1 (API 2.0.0-alpha.1) takes a tag from whoever had it, looked up by container and tag over all
 * collections: a push of `a/app:v1` by the library protocol deletes somebody else's `b/app:v1`. The same look finds a frozen tag.
 */
import { createHash } from "node:crypto";
import type { Call } from "../../call.ts";
import { field, object, optional, string } from "../../decode.ts";
import { type ErrorCode, isCode } from "../../errors.ts";
import { finishDigest } from "../../reference/digest.ts";
import { uriOf, versionOf } from "../../reference/sregistry.ts";
import { readSource } from "../../transfer/read-source.ts";
import type { Source } from "../../transfer/source.ts";
import type { SregistryApi } from "./api.ts";
import { frozenTag } from "./frozen.ts";
import type { ImageName } from "./names.ts";
import { findNamesakes } from "./rows.ts";

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

/**
 * One search for each tag, as a day may have few. Twins are said and not refused: whose image that is, and whether it matters, is
 * not ours to know. @throws SregistryError CONFLICT for a tag that is frozen with other bytes.
 */
export async function lookBeforePush(
  api: SregistryApi,
  images: readonly ImageName[],
  source: Source,
  call: Call,
): Promise<void> {
  try {
    for (const image of images) {
      const rows = await findNamesakes(api, image, call);
      const own = rows.find(({ collection }) => collection === image.collection);
      if (own?.frozen === true && own.version !== (await versionOfSource(source, call))) {
        throw frozenTag(api, image, own.version);
      }
      const twins = rows.filter(({ collection }) => collection !== image.collection);
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

/** Read for a frozen tag alone: the push reads the file once more. */
async function versionOfSource(source: Source, { signal }: Call): Promise<string> {
  const sha256 = createHash("sha256");
  for await (const chunk of readSource(source, 0, source.size, signal)) sha256.update(chunk);
  return versionOf(finishDigest(sha256));
}

async function takesTwins(api: SregistryApi, call: Call): Promise<boolean> {
  const version = await api.get(
    "/version",
    (value, where) => field(field(object(value, where), "data", object, where), "apiVersion", optional(string), where),
    call,
  );
  return version === "2.0.0-alpha.1";
}
