/**
 * An image's metadata as the config blob of its OCI artifact, so that list, labels and inspect need no download.
 * SingularityCE 4.5 does not look into the config of what it pulls; other OCI tools find labels where a config has them.
 */
import type { Digest } from "../reference/digest.ts";
import { member, textMember, textRecord } from "./liberal.ts";
import type { ImageMetadata } from "./metadata.ts";

export interface ConfigInput {
  readonly metadata: ImageMetadata;
  /** Of the SIF. */
  readonly digest: Digest;
  readonly description: string | undefined;
}

/** Deterministic: the same image gives the same bytes, so that a second push changes nothing. */
export function encodeConfig({ metadata, digest, description }: ConfigInput): Uint8Array {
  const { architecture, labels, environment, format, signed, encrypted } = metadata;
  const { runscript, test, help, deffile, startscript } = metadata;
  const config = {
    architecture,
    os: "linux",
    config: { Labels: sorted(labels) },
    rootfs: { type: "layers", diff_ids: [digest] },
    description,
    format,
    signed,
    encrypted,
    environment: sorted(environment),
    runscript,
    test,
    help,
    deffile,
    startscript,
  };
  return new TextEncoder().encode(JSON.stringify(config));
}

/** Undefined for a config that this program did not write: `{}`, empty, an OCI image's, no JSON at all. */
export function configMetadata(bytes: Uint8Array): ImageMetadata | undefined {
  const json = parse(bytes);
  const format = textMember(json, "format");
  if (format !== "sif" && format !== "oci-sif") return undefined;
  return {
    architecture: textMember(json, "architecture"),
    labels: textRecord(member(member(json, "config"), "Labels")),
    environment: textRecord(member(json, "environment")),
    runscript: textMember(json, "runscript"),
    test: textMember(json, "test"),
    help: textMember(json, "help"),
    deffile: textMember(json, "deffile"),
    startscript: textMember(json, "startscript"),
    signed: member(json, "signed") === true,
    encrypted: member(json, "encrypted") === true,
    format,
  };
}

/** Anybody may have written the blob: no JSON is as good as none of ours. */
function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return undefined;
  }
}

function sorted(entries: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(entries).sort(([a], [b]) => (a < b ? -1 : 1)));
}
