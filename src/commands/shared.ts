/** Flags that several verbs share, each described once. */
import type { Flags, OptionSpec } from "./verb.ts";

export const ARCHITECTURE_OPTION: OptionSpec = {
  flags: "--arch <architecture>",
  description: "which one, where a name stands for several: amd64, arm64, ...",
  env: ["SINGULARITY_PULL_ARCH", "SINGULARITY_ARCH"],
};

/** Which parts of an image's metadata to show. */
export const METADATA_OPTIONS: readonly OptionSpec[] = [
  { flags: "-e, --env", description: "environment", noEnv: true },
  { flags: "-r, --runscript", description: "runscript", noEnv: true },
  { flags: "-t, --test", description: "test", noEnv: true },
  { flags: "-d, --deffile", description: "definition file", noEnv: true },
  { flags: "-l, --labels", description: "labels", noEnv: true },
  // The old client took any prefix of a long option, and its manual wrote --e --r --d --t.
  { flags: "--e", description: "as --env", hidden: true, noEnv: true },
  { flags: "--r", description: "as --runscript", hidden: true, noEnv: true },
  { flags: "--t", description: "as --test", hidden: true, noEnv: true },
  { flags: "--d", description: "as --deffile", hidden: true, noEnv: true },
  { flags: "--def", description: "as --deffile", hidden: true, noEnv: true },
  { flags: "--l", description: "as --labels", hidden: true, noEnv: true },
];

export const METADATA_PARTS = ["environment", "runscript", "test", "deffile", "labels"] as const;
export type MetadataPart = (typeof METADATA_PARTS)[number];

export function metadataParts(flags: Flags): readonly MetadataPart[] {
  const long = { environment: "env", runscript: "runscript", test: "test", deffile: "deffile", labels: "labels" };
  const given = (part: MetadataPart) => flags.on(long[part]) || flags.on(long[part].charAt(0));
  return METADATA_PARTS.filter((part) => given(part) || (part === "deffile" && flags.on("def")));
}
