/**
 * Images that a library keeps in an OCI registry of its own (`v1/oci-redirect`, Sylabs cloud since 2023): resolved and read
 * there, with the token that the library gives for it.
 */
import type { Call } from "../../call.ts";
import { type Decoder, field, object, optional, string } from "../../decode.ts";
import { isCode, SregistryError } from "../../errors.ts";
import { ERROR_LIMIT, readUpTo } from "../../http/body.ts";
import { isHtml } from "../../http/media-type.ts";
import { requireFollowable } from "../../http/redirect.ts";
import { hostArchitecture } from "../../image/architecture.ts";
import { formatReference } from "../../reference/format.ts";
import { parseHost } from "../../reference/host.ts";
import { isRepoPath, parseTag } from "../../reference/name.ts";
import type { PlacedReference, Selector } from "../../reference/reference.ts";
import { Secret } from "../../secret.ts";
import type { BodyPart, ByteRange, ImageInfo, Registry, ResolveOptions } from "../registry.ts";
import type { LibraryApi } from "./api.ts";

export interface Direct {
  /** Undefined: the image is the library's own to give. */
  resolve(reference: PlacedReference, choice: ResolveOptions, call: Call): Promise<ImageInfo | undefined>;
  /** Undefined for an image that did not come from here. */
  read(image: ImageInfo, range: ByteRange, call: Call): Promise<BodyPart> | undefined;
}

interface Redirect {
  readonly token: Secret;
  readonly url: URL;
  /** The repository there, when it is another than here. */
  readonly name: string | undefined;
}

interface Elsewhere {
  readonly registry: Registry;
  readonly image: ImageInfo;
}

export function createDirect(api: LibraryApi, open: ((url: URL, token: Secret) => Registry) | undefined): Direct {
  const resolved = new WeakMap<ImageInfo, Elsewhere>();
  /** A library that offers it for one image offers it for all, and so the other way round. */
  let offered = open !== undefined;

  async function redirectOf(path: string, call: Call): Promise<Redirect | undefined> {
    const query = { accessTypes: "pull", mapped: "1", namespace: path };
    const response = await api.send({ method: "GET", url: api.url("v1/oci-redirect", query), accept: ANSWERS }, call);
    const { bytes } = await readUpTo(response, ERROR_LIMIT);
    if (response.status !== 200 || isHtml(response)) return undefined;
    try {
      return await decode(api, JSON.parse(new TextDecoder().decode(bytes)));
    } catch (error) {
      if (error instanceof SyntaxError) return undefined;
      throw error;
    }
  }

  return {
    async resolve(reference, choice, call) {
      if (!offered || open === undefined) return undefined;
      const redirect = await redirectOf(reference.path, call);
      if (redirect === undefined) {
        offered = false;
        return undefined;
      }
      const { url, token, name = reference.path } = redirect;
      if (!isRepoPath(name, "oras"))
        throw new SregistryError("REPLY_INVALID", `${api.name} maps ${reference.path} to no repository`);
      const registry = open(url, token);
      const there = {
        scheme: "oras",
        host: parseHost(url.host),
        path: name,
        selector: selectorThere(reference),
      } as const;
      const architecture = choice.architecture ?? hostArchitecture();
      try {
        const found = await registry.resolve(there, { architecture }, call);
        requirePinned(api, reference, found);
        const { manifest: _manifest, ...image } = { ...found, reference };
        resolved.set(image, { registry, image: found });
        return image;
      } catch (error) {
        // An image from before the library had a registry is its own still.
        if (isCode(error, "NOT_FOUND")) return undefined;
        throw error;
      }
    },
    read(image, range, call) {
      const elsewhere = resolved.get(image);
      return elsewhere?.registry.read(elsewhere.image, range, call);
    },
  };
}

/** The library's digests are those of files; its registry has them as tags (`sha256.<hex>`) of manifests of their own. */
function selectorThere({ selector }: PlacedReference): Selector {
  if (selector.kind !== "digest") return selector;
  return { kind: "tag", tag: parseTag(selector.digest.replace(":", ".")) };
}

function requirePinned(api: LibraryApi, reference: PlacedReference, { digest }: ImageInfo): void {
  const { selector } = reference;
  if (selector.kind !== "digest" || digest === selector.digest) return;
  const name = formatReference(reference);
  throw new SregistryError("INTEGRITY", `${api.name} gives ${digest ?? "no digest"} for ${name}`);
}

/** Whatever is no 200 means that it is not offered, as SingularityCE 4.5 reads it. */
const ANSWERS = [200, 204, 400, 401, 403, 404, 405, 406, 500, 501];

const redirect: Decoder<{ readonly token: string; readonly url: string; readonly name: string | undefined }> = (
  value,
  where,
) => {
  const json = object(value, where);
  return {
    token: field(json, "token", string, where),
    url: field(json, "url", string, where),
    name: field(json, "name", optional(string), where) || undefined,
  };
};

async function decode(api: LibraryApi, value: unknown): Promise<Redirect> {
  const { token, url: text, name } = redirect(value, `answer of ${api.name} to v1/oci-redirect`);
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username + url.password !== "") {
    throw new SregistryError("REPLY_INVALID", `${api.name} names a registry that is no http(s) URL`);
  }
  await requireFollowable(api.base, api.base, url, { verb: "sends the download" });
  return { token: new Secret(token), url, name };
}
