/** Flags that several verbs share, each described once. */
import type { Flags, OptionSpec } from "./verb.ts";

export const ARCHITECTURE_OPTION: OptionSpec = {
  flags: "--arch <architecture>",
  description: "which one, where a name stands for several: amd64, arm64, ...",
  env: ["SINGULARITY_PULL_ARCH", "SINGULARITY_ARCH"],
};

/**
 * Which parts of an image's metadata to show. The variables carry the verb's name: SREGISTRY_TEST or SREGISTRY_ENV is what a site
 * may call something of its own.
 */
export function metadataOptions(verb: "list" | "inspect"): readonly OptionSpec[] {
  const variable = (part: string): string => `SREGISTRY_${verb.toUpperCase()}_${part}`;
  return [
    { flags: "-e, --env", description: "show the environment", variable: variable("ENV") },
    { flags: "-r, --runscript", description: "show the runscript", variable: variable("RUNSCRIPT") },
    { flags: "-t, --test", description: "show the test", variable: variable("TEST") },
    { flags: "-d, --deffile", description: "show the definition file", variable: variable("DEFFILE") },
    { flags: "-l, --labels", description: "show the labels", variable: variable("LABELS") },
    ...OLD_SPELLINGS,
  ];
}

/** The old client took any prefix of a long option, and its manual wrote --e --r --d --t. */
const OLD_SPELLINGS: readonly OptionSpec[] = [
  { flags: "--e", description: "as --env", hidden: true, noEnv: "as --env" },
  { flags: "--r", description: "as --runscript", hidden: true, noEnv: "as --runscript" },
  { flags: "--t", description: "as --test", hidden: true, noEnv: "as --test" },
  { flags: "--d", description: "as --deffile", hidden: true, noEnv: "as --deffile" },
  { flags: "--def", description: "as --deffile", hidden: true, noEnv: "as --deffile" },
  { flags: "--l", description: "as --labels", hidden: true, noEnv: "as --labels" },
];

export const METADATA_PARTS = ["environment", "runscript", "test", "deffile", "labels"] as const;
export type MetadataPart = (typeof METADATA_PARTS)[number];

export function metadataParts(flags: Flags): readonly MetadataPart[] {
  const long = { environment: "env", runscript: "runscript", test: "test", deffile: "deffile", labels: "labels" };
  const given = (part: MetadataPart) => flags.on(long[part]) || flags.on(long[part].charAt(0));
  return METADATA_PARTS.filter((part) => given(part) || (part === "deffile" && flags.on("def")));
}
