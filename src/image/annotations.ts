/** What image labels say under the OCI's pre-defined annotation keys (image-spec annotations.md). */

const PREFIX = "org.opencontainers.image.";
/** Label Schema, the OCI keys' predecessor (label-schema.org), which Singularity's builds write. */
const OLD_PREFIX = "org.label-schema.";

/** Key -> the label names that mean it, best first, lower case. `created` and `ref.name` are never claimed by a label. */
const LABELS: Readonly<Record<string, readonly string[]>> = {
  title: [`${OLD_PREFIX}name`, "title"],
  description: [`${OLD_PREFIX}description`, "description", "summary"],
  version: [`${OLD_PREFIX}version`, "version"],
  source: [`${OLD_PREFIX}vcs-url`, "source"],
  url: [`${OLD_PREFIX}url`, "url", "homepage"],
  licenses: ["licenses", "license"],
  authors: ["authors", "author", "maintainer"],
  vendor: [`${OLD_PREFIX}vendor`, "vendor"],
  revision: [`${OLD_PREFIX}vcs-ref`, "revision"],
  documentation: ["documentation"],
};

/** Characters. A manifest has 4 MiB in all, and whole texts are in the config blob. */
const LONGEST_VALUE = 4096;

/**
 * Annotations in a fixed order of keys, only those that the labels give. `description`, when given, wins over them.
 */
export function labelAnnotations(
  labels: Readonly<Record<string, string>>,
  description?: string,
): Readonly<Record<string, string>> {
  const byName = new Map<string, string>();
  for (const [name, value] of Object.entries(labels)) {
    const key = name.toLowerCase();
    if (!byName.has(key)) byName.set(key, value);
  }
  const annotations: Record<string, string> = {};
  for (const [key, names] of Object.entries(LABELS)) {
    const asked = key === "description" ? description : undefined;
    const value = asked ?? firstOf([PREFIX + key, ...names], byName);
    if (value !== undefined && value !== "" && value.length <= LONGEST_VALUE) annotations[PREFIX + key] = value;
  }
  return annotations;
}

function firstOf(names: readonly string[], values: ReadonlyMap<string, string>): string | undefined {
  const name = names.find((candidate) => (values.get(candidate) ?? "") !== "");
  return name === undefined ? undefined : values.get(name);
}
