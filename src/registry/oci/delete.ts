/** Removal: of one tag and nothing else, or of a manifest with every tag that names it. */
import { randomUUID } from "node:crypto";
import type { Call } from "../../call.ts";
import { SregistryError } from "../../errors.ts";
import { discard } from "../../http/body.ts";
import { type Descriptor, MEDIA_TYPES } from "../../image/document.ts";
import { type Digest, digestOf } from "../../reference/digest.ts";
import { formatReference } from "../../reference/format.ts";
import type { PlacedReference, RepoPath, Tag } from "../../reference/reference.ts";
import type { DeleteResult } from "../registry.ts";
import { type OciApi, repositoryAuth } from "./api.ts";
import { deletionHint } from "./hints.ts";
import { fallbackIndex, fallbackTag, tagsOf } from "./lists.ts";
import { fetchDocument, headManifest, putManifest } from "./manifests.ts";
import { putKnownBlob } from "./monolithic.ts";

/** @throws SregistryError NOT_FOUND. */
export async function deletable(api: OciApi, reference: PlacedReference, call: Call): Promise<DeleteResult> {
  const { path, selector } = reference;
  if (selector.kind !== "digest") {
    await fetchDocument(api, reference, call);
    return { deleted: [formatReference(reference)] };
  }
  const { digest } = await fetchDocument(api, reference, call);
  const tags: string[] = [];
  for await (const tag of tagsOf(api, path, call)) {
    if ((await headManifest(api, path, tag, call)) === digest) tags.push(tag);
  }
  const names = tags.map((tag) => formatReference({ ...reference, selector: { kind: "tag", tag: tag as Tag } }));
  return { deleted: [...names, formatReference(reference)] };
}

export async function remove(api: OciApi, reference: PlacedReference, call: Call): Promise<DeleteResult> {
  const goes = await deletable(api, reference, call);
  const { path, selector } = reference;
  if (selector.kind === "tag") await removeTag(api, path, selector.tag, call);
  else if (selector.kind === "digest") await removeManifest(api, path, selector.digest, call);
  return goes;
}

async function removeTag(api: OciApi, path: RepoPath, tag: Tag, call: Call): Promise<void> {
  const status = await sendDelete(api, path, tag, call);
  if (status === 202 || status === 200 || status === 204) return;
  call.log.verbose(`${api.host} deletes by digest only (status ${status}); the tag alone is taken away by a detour`);
  await removeTagByDetour(api, path, tag, call);
}

/**
 * registry:2 2.8 deletes by digest only, and every tag with it. So the tag is first moved to a manifest of its own, which
 * is then deleted. Whether anything can be deleted is tried on such a manifest without a name, before the tag is touched.
 */
async function removeTagByDetour(api: OciApi, path: RepoPath, tag: Tag, call: Call): Promise<void> {
  const config = new TextEncoder().encode("{}");
  const configDigest = digestOf(config);
  await putKnownBlob({ api, path, digest: configDigest, body: { size: config.length, open: () => config }, call });
  const bytes = new TextEncoder().encode(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.manifest,
      config: { mediaType: MEDIA_TYPES.sifConfig, size: config.length, digest: configDigest },
      layers: [],
      annotations: { "io.sregistry.deleting": randomUUID() },
    }),
  );
  const stand = { bytes, digest: digestOf(bytes), mediaType: MEDIA_TYPES.manifest };
  await putManifest(api, path, stand.digest, stand, call);
  await removeManifest(api, path, stand.digest, call);
  await putManifest(api, path, tag, stand, call);
  await removeManifest(api, path, stand.digest, call);
}

async function removeManifest(api: OciApi, path: RepoPath, digest: Digest, call: Call): Promise<void> {
  const selector = { kind: "digest", digest } as const;
  const { document } = await fetchDocument(api, { scheme: "oras", host: api.host, path, selector }, call);
  const status = await sendDelete(api, path, digest, call);
  if (status >= 400) {
    throw new SregistryError("UNSUPPORTED", `${api.host} does not delete (status ${status})`, {
      hint: deletionHint(api.host),
    });
  }
  if (document.subject !== undefined) await forgetReferrer(api, path, document.subject.digest, digest, call);
}

async function sendDelete(api: OciApi, path: RepoPath, name: string, call: Call): Promise<number> {
  const response = await api.send(
    {
      method: "DELETE",
      url: api.manifestUrl(path, name),
      accept: [200, 202, 204, 400, 405, 501],
      auth: repositoryAuth(path, "delete"),
    },
    call,
  );
  await discard(response);
  return response.status;
}

/** Where the referrers API is missing, the tag's index is the client's to keep (distribution-spec, "Deleting"). */
async function forgetReferrer(api: OciApi, path: RepoPath, subject: Digest, gone: Digest, call: Call): Promise<void> {
  const entries = await fallbackIndex(api, path, subject, call);
  if (entries === undefined || !entries.some(({ digest }) => digest === gone)) return;
  const manifests = entries.filter(({ digest }) => digest !== gone).map(plainDescriptor);
  const bytes = new TextEncoder().encode(JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.index, manifests }));
  const index = { bytes, digest: digestOf(bytes), mediaType: MEDIA_TYPES.index };
  await putManifest(api, path, fallbackTag(subject), index, call);
}

function plainDescriptor({ mediaType, digest, size, artifactType, annotations }: Descriptor): Record<string, unknown> {
  return {
    mediaType,
    digest,
    size,
    ...(artifactType === undefined ? {} : { artifactType }),
    ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
  };
}
