/** What is done to an index, as plain functions from entries to entries. Each may be done twice. */
import type { Digest } from "../../reference/digest.ts";
import type { Tag } from "../../reference/reference.ts";
import type { Edit, Entry, ManifestEntry, RepositoryIndex } from "./index-file.ts";

/** Enters a manifest and points the tags at it. The manifests they pointed at stay, by digest. */
export function putEntry(manifest: ManifestEntry, tags: readonly Tag[]): Edit {
  return (index) => {
    const { entries } = index;
    const known = index.manifests.get(manifest.digest)?.mediaType === manifest.mediaType;
    if (known && tags.every((tag) => index.tags.get(tag)?.digest === manifest.digest)) return entries;
    const others = entries.filter(({ digest, tag }) => digest !== manifest.digest && !(tag && tags.includes(tag)));
    const own = entries.filter(({ digest }) => digest === manifest.digest).flatMap(({ tag }) => tag ?? []);
    const names = [...new Set([...own, ...tags])];
    const named = names.map((tag) => ({ ...manifest, tag, frozen: isFrozen(index, tag) }));
    return [...orphaned(entries, others, manifest.digest), ...others, ...named, ...unnamed(manifest, names)];
  };
}

/** Takes one tag away; its manifest stays, by digest. */
export function removeTag(name: Tag): Edit {
  return ({ entries }) => {
    const others = entries.filter(({ tag }) => tag !== name);
    return others.length === entries.length ? entries : [...orphaned(entries, others), ...others];
  };
}

/** Takes a manifest away with all its tags. */
export function removeManifest(gone: Digest): Edit {
  return ({ entries }) => {
    const others = entries.filter(({ digest }) => digest !== gone);
    return others.length === entries.length ? entries : others;
  };
}

/** Makes a tag stay where it is, or lets it go. */
export function freezeTag(name: Tag, frozen: boolean): Edit {
  return (index) => {
    if (isFrozen(index, name) === frozen) return index.entries;
    return index.entries.map((entry) => (entry.tag === name ? { ...entry, frozen } : entry));
  };
}

function isFrozen({ tags }: RepositoryIndex, tag: Tag): boolean {
  return tags.get(tag)?.frozen === true;
}

/** Manifests that lost their last entry, entered without a name. */
function orphaned(before: readonly Entry[], after: readonly Entry[], except?: Digest): readonly Entry[] {
  const left = new Set(after.map(({ digest }) => digest));
  const lost = before.filter(({ digest }) => digest !== except && !left.has(digest));
  return [...new Map(lost.map((entry) => [entry.digest, { ...entry, tag: undefined, frozen: false }])).values()];
}

function unnamed(manifest: ManifestEntry, names: readonly Tag[]): readonly Entry[] {
  return names.length === 0 ? [{ ...manifest, tag: undefined, frozen: false }] : [];
}
