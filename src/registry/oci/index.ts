/** `oras://` and `docker://`: one registry that speaks the OCI distribution API. */
import type { Call } from "../../call.ts";
import { SregistryError } from "../../errors.ts";
import type { RetryLimits } from "../../http/retry-policy.ts";
import type { Transport } from "../../http/transport.ts";
import { formatReference } from "../../reference/format.ts";
import type { Host } from "../../reference/reference.ts";
import { noUploadSessions, type UploadSessions } from "../../transfer/upload-session.ts";
import type { ImageInfo, Registry } from "../registry.ts";
import { createApi } from "./api.ts";
import { ociContent } from "./copy.ts";
import { deletable, remove } from "./delete.ts";
import type { HostRules } from "./hosts.ts";
import { repositoriesOf, tagsOf } from "./lists.ts";
import { fetchDocument, putManifest, readBack } from "./manifests.ts";
import { push } from "./push.ts";
import { configOf, type ResolvedImage, readBlob, resolveImage } from "./read.ts";
import { noteReferrer, referrersOf } from "./referrers.ts";

export interface OciOptions {
  /** As the user names it. */
  readonly host: Host;
  /** Scheme and port that it is asked at. */
  readonly baseUrl: URL;
  readonly transport: Transport;
  /** What the configuration says of hosts; before the built-in table. */
  readonly hostRules?: HostRules;
  readonly sessions?: UploadSessions;
  /** Of transfers and of answers that break off; the transport has its own for requests. */
  readonly retry?: Partial<RetryLimits>;
}

export function createOciRegistry(options: OciOptions): Registry {
  const { host, baseUrl, transport, hostRules = [], sessions = noUploadSessions, retry } = options;
  const api = createApi(host, baseUrl, transport, retry);
  /** Images that came from `resolve`: their config descriptor is needed again for the metadata. */
  const resolved = new WeakMap<ImageInfo, ResolvedImage>();
  return {
    name: `registry ${host}`,
    async resolve(reference, choice, call) {
      const image = await resolveImage(api, reference, choice, call);
      resolved.set(image, image);
      return image;
    },
    read: (image, range, call) => readBlob(api, image, range, call),
    content: ociContent({ api, hostRules, sessions }),
    can: {
      push: (request, call) => push({ api, hostRules, sessions }, request, call),
      repositories: (call) => repositoriesOf(api, call),
      tags: (path, call) => tagsOf(api, path, call),
      metadata: async (image, call) => {
        const known = resolved.get(image) ?? (await resolveImage(api, pinnedReference(image), {}, call));
        return configOf(api, known, call);
      },
      async tag(image, tags, call) {
        const { path } = image.reference;
        const made = await fetchDocument(api, image.reference, call, "push");
        for (const tag of tags) {
          const noted = await putManifest(api, path, tag, made, call);
          if (!noted) await noteReferrer(api, path, made, call);
          await readBack(api, path, tag, made.digest, call);
        }
      },
      deletable: (reference, call) => deletable(api, reference, call),
      delete: (reference, call) => remove(api, reference, call),
      referrers: (image, call) => attached(image, call),
    },
  };

  async function attached(image: ImageInfo, call: Call) {
    const { manifest, reference } = image;
    if (manifest === undefined) return [];
    const found = await referrersOf(api, reference.path, manifest, call);
    return found.map(({ digest, artifactType, mediaType, size, annotations }) => ({
      digest,
      type: artifactType ?? mediaType,
      size,
      annotations,
    }));
  }
}

function pinnedReference({ reference, manifest }: ImageInfo): ImageInfo["reference"] {
  if (manifest === undefined) throw new SregistryError("INTERNAL", `${formatReference(reference)} has no manifest`);
  return { ...reference, selector: { kind: "digest", digest: manifest } };
}
