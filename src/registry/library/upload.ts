/** The bytes of an image, by whichever way the library takes them. */
import { type Decoder, field, object, string } from "../../decode.ts";
import { SregistryError } from "../../errors.ts";
import { discard } from "../../http/body.ts";
import { createRetryPolicy } from "../../http/retry-policy.ts";
import type { Body } from "../../http/transport.ts";
import { digestHex } from "../../reference/digest.ts";
import type { SavedParts } from "../../transfer/upload-session.ts";
import { isLarge, sourceBody } from "../source-body.ts";
import { CLOSING, type Completed, complete, type ImageUpload, removeRow } from "./complete.ts";
import { md5Of } from "./digests.ts";
import { beginParts, sendParts } from "./multipart.ts";
import { put, type Stored, uploadUrl, wantsContentHash } from "./storage.ts";

/** @throws SregistryError INTEGRITY when the storage got other bytes, or the file changed meanwhile. */
export async function sendImage(upload: ImageUpload): Promise<Completed> {
  const { api, source, multipartAbove, call } = upload;
  if ((await api.version(call)) === "1") return sendWhole(upload);
  let parts: SavedParts | undefined;
  try {
    parts = source.size > multipartAbove ? await beginParts(upload) : undefined;
    if (parts === undefined) return await sendSingle(upload);
  } catch (error) {
    await removeRow(upload);
    throw error;
  }
  return sendParts(upload, parts);
}

const uploadTarget: Decoder<string> = (value, where) => field(object(value, where), "uploadURL", string, where);

/** One PUT to a URL that the library gives; a new one for each try, since they run out. */
async function sendSingle(upload: ImageUpload): Promise<Completed> {
  const { api, id, source, digests, call, retry: limits } = upload;
  const sha256sum = digestHex(digests.sha256);
  const md5sum = digests.md5 ?? (await md5Of(source, call));
  const retry = createRetryPolicy({
    what: `upload to ${api.name}`,
    signal: call.signal,
    log: call.log,
    limits,
    waiting: call.waiting,
  });
  for (;;) {
    try {
      const body = { filesize: source.size, sha256sum, md5sum };
      const text = await api.make("POST", api.url(`v2/imagefile/${id}`), body, uploadTarget, call);
      const url = await uploadUrl(api, text);
      const sha256 = wantsContentHash(url) ? sha256sum : undefined;
      requireMd5(upload, md5sum, await put(api, { url, body: wholeBody(upload), sha256 }, call));
      break;
    } catch (error) {
      upload.task.at(0);
      await retry.next(error);
    }
  }
  return complete(upload, "_complete", {});
}

function wholeBody({ source, task, call: { signal } }: ImageUpload): Body {
  return sourceBody(source, 0, source.size, { signal, moved: (bytes) => task.at(bytes) });
}

/** S3 and MinIO give the md5 of a plain upload back; others give anything. */
function requireMd5({ api, call }: ImageUpload, md5: string, { etag, encryption }: Stored): void {
  if (encryption !== undefined) {
    call.log.verbose(`the storage of ${api.name} encrypts (${encryption}): its ETag says nothing of the bytes`);
    return;
  }
  const plain = etag.replace(/^W\//, "").replaceAll('"', "").toLowerCase();
  if (!/^[0-9a-f]{32}$/.test(plain) || plain === md5) return;
  throw new SregistryError("INTEGRITY", `the storage of ${api.name} got other bytes than were sent`, {
    hint: "push it again; if it happens again, the network or the storage is damaged",
  });
}

/** API 1: the bytes go to the library itself. */
async function sendWhole(upload: ImageUpload): Promise<Completed> {
  const { api, id, call } = upload;
  const body = wholeBody(upload);
  const request = {
    method: "POST",
    url: api.url(`v1/imagefile/${id}`),
    accept: [200, 201],
    headers: { "content-type": "application/octet-stream" },
    body,
    bulk: isLarge(body),
    redirect: "never",
    headersTimeout: CLOSING,
  } as const;
  await discard(await api.send(request, call));
  return {};
}
