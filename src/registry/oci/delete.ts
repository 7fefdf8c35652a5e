/** Removal: of one tag and nothing else, or of a manifest with every tag that names it. */
import { randomUUID } from "node:crypto";
import type { Call } from "../../call.ts";
import { SregistryError } from "../../errors.ts";
import { discard } from "../../http/body.ts";
import { MEDIA_TYPES } from "../../image/document.ts";
import { type Digest, digestOf } from "../../reference/digest.ts";
import { formatReference } from "../../reference/format.ts";
import type { PlacedReference, RepoPath, Tag } from "../../reference/reference.ts";
import type { DeleteResult } from "../registry.ts";
import { type OciApi, repositoryAuth } from "./api.ts";
import { deletionHint } from "./hints.ts";
import { tagsOf } from "./lists.ts";
import { digestBehind, fetchDocument, putManifest } from "./manifests.ts";
import { sendBytes } from "./push.ts";
import { forgetReferrer } from "./referrers.ts";

/** @throws SregistryError NOT_FOUND. */
export async function deletable(api: OciApi, reference: PlacedReference, call: Call): Promise<DeleteResult> {
  const { path, selector } = reference;
  if (selector.kind !== "digest") {
    await fetchDocument(api, reference, call);
    return { deleted: [formatReference(reference)] };
  }
  const { digest } = await fetchDocument(api, reference, call);
  const names: string[] = [];
  for await (const tag of tagsOf(api, path, call)) {
    if ((await digestBehind(api, path, tag, call)) === digest) {
      names.push(formatReference({ ...reference, selector: { kind: "tag", tag } }));
    }
  }
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
  if (status < 300) return;
  if (status !== 400) throw refusal(api, status);
  call.log.verbose(`${api.host} deletes by digest only; the tag alone is taken away by a detour`);
  await removeTagByDetour(api, path, tag, call);
}

/**
 * registry:2 2.8 deletes by digest only, and every tag with it. So the tag is first moved to a manifest of its own, which
 * is then deleted. Whether anything can be deleted is tried on such a manifest without a name, before the tag is touched.
 */
async function removeTagByDetour(api: OciApi, path: RepoPath, tag: Tag, call: Call): Promise<void> {
  const config = new TextEncoder().encode("{}");
  const { digest: configDigest } = await sendBytes({ api, hostRules: [] }, path, config, call);
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
  if (status >= 300) throw refusal(api, status);
  if (document.subject !== undefined) await forgetReferrer(api, path, document.subject.digest, digest, call);
}

function refusal({ host }: OciApi, status: number): SregistryError {
  return new SregistryError("UNSUPPORTED", `${host} does not delete (status ${status})`, { hint: deletionHint(host) });
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
