/** How Singularity Registry Server 2.1 writes names: the same in our client of it and in our server that speaks as it does. */
import { type Digest, digestAlgorithm, digestHex } from "./digest.ts";

/** As it stores a collection: `New_Coll.X` is `new-coll-x`. "" for a name without a letter or digit of ASCII, which it cannot store. */
export function normalCollection(name: string): string {
  return name
    .replaceAll(/[^0-9A-Za-z]+/g, "-")
    .replaceAll(/^-|-$/g, "")
    .toLowerCase();
}

/** `collection/name:tag` */
export function uriOf(image: { readonly collection: string; readonly name: string; readonly tag: string }): string {
  return `${image.collection}/${image.name}:${image.tag}`;
}

/** `sha256.<hex>` */
export function versionOf(digest: Digest): string {
  return `${digestAlgorithm(digest)}.${digestHex(digest)}`;
}
