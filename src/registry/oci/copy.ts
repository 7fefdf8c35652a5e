/** Manifests, indexes and blobs of a registry one by one, for a copy that changes no byte. */
import { type Call, tellingWaits } from "../../call.ts";
import type { Descriptor } from "../../image/document.ts";
import type { PlacedReference } from "../../reference/reference.ts";
import type { BlobRequest, Content, ImageInfo, PushResult } from "../registry.ts";
import { ruleFor } from "./hosts.ts";
import { digestBehind, fetchDocument, putManifest, readBack, selectorText } from "./manifests.ts";
import type { PushContext } from "./push.ts";
import { readBlob } from "./read.ts";
import { noteReferrer, referrersOf } from "./referrers.ts";
import { blobExists } from "./session.ts";
import { sendBlob } from "./upload.ts";

export function ociContent(context: PushContext): Content {
  const { api } = context;
  return {
    // Credentials differ by host, and so does what may be mounted.
    origin: api.base.origin,
    digestOf: (reference, call) => digestBehind(api, reference.path, selectorText(reference), call),
    document: (reference, call) => fetchDocument(api, reference, call),
    readBlob: (reference, blob, range, call) => readBlob(api, blobImage(reference, blob), range, call),
    hasBlob: (path, { digest }, call) => blobExists(api, path, digest, call),
    putBlob: (request, call) => putBlob(context, request, call),
    async putDocument(path, name, made, call) {
      const noted = await putManifest(api, path, name, made, call);
      if (!noted) await noteReferrer(api, path, made, call);
      await readBack(api, path, name, made.digest, call);
    },
    async referrersOf(path, digest, call) {
      const found = await referrersOf(api, path, digest, call);
      return found.map((entry) => entry.digest);
    },
  };
}

/** As the port names what is read: here a blob of any kind. */
function blobImage(reference: PlacedReference, { digest, size, mediaType }: Descriptor): ImageInfo {
  const selector = { kind: "digest", digest } as const;
  return { reference: { ...reference, selector }, size, digest, architecture: undefined, mediaType, annotations: {} };
}

async function putBlob(context: PushContext, request: BlobRequest, outer: Call): Promise<PushResult["transfer"]> {
  const { api, hostRules, sessions } = context;
  const { path, digest, source, title, from } = request;
  const task = outer.progress.start(title, source.size);
  const call = tellingWaits(outer, task);
  try {
    const rule = ruleFor(api.host, hostRules);
    const { transfer } = await sendBlob({ api, path, source, rule, sessions, task, call, digest, from });
    // What was sent was right: a server that did not look would have taken it all the same.
    await source.unchanged();
    task.done();
    return transfer;
  } catch (error) {
    task.fail();
    throw error;
  }
}
