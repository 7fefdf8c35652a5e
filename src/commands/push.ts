import { type PushInput, type PushOutcome, planPush, push as pushImage } from "../client/push.ts";
import { SregistryError } from "../errors.ts";
import { isFileWord } from "../reference/file-word.ts";
import { parseTag } from "../reference/name.ts";
import { parseReference } from "../reference/parse.ts";
import { parsePattern } from "../reference/pattern.ts";
import type { Tag } from "../reference/reference.ts";
import { shellWord } from "../shell-word.ts";
import { formatSize } from "../units.ts";
import { PUSH, PUSH_DRY_RUN } from "./schemas/push.ts";
import { defineVerb, type Flags, requireWord } from "./verb.ts";

type Quota = NonNullable<PushOutcome["quota"]>;

interface Input extends PushInput {
  readonly dryRun: boolean;
}

export const push = defineVerb<Input>({
  arguments: [
    { name: "<file>", description: "the image" },
    { name: "[reference]", description: "where to; or --name" },
  ],
  options: [
    { flags: "--name <reference>", description: "where to, as the old client spells it" },
    { flags: "--tag <tag>", description: "a tag to set; may be given several times", repeatable: true },
    {
      flags: "-U, --allow-unsigned",
      description: "send it unsigned where the endpoint asks for a signature",
      env: ["SINGULARITY_ALLOW_UNSIGNED"],
    },
    { flags: "--description <text>", description: "a line on what it is" },
    { flags: "--dry-run", description: "say what would be done; ask nobody" },
    { flags: "--any-file", description: "send a file that is no SIF" },
    { flags: "--plain-manifest", description: "exactly the manifest that Singularity writes, without metadata" },
  ],
  examples: [
    { command: "sregistry push -U tool.sif --name lab/tool --tag 1.0", says: "to the default registry" },
    { command: "sregistry push tool.sif oras://ghcr.io/org/tool:1.0", says: "to an OCI registry" },
    { command: "sregistry push tool.sif lab/tool --tag 1.0 --tag latest", says: "two tags, sent once" },
  ],
  answers: [PUSH, PUSH_DRY_RUN],
  answer: ({ dryRun }) => (dryRun ? PUSH_DRY_RUN : PUSH),
  parse(words, flags) {
    const file = requireWord(words, 0, "the file to push");
    const named = words[1] ?? flags.text("name");
    if (named === undefined) {
      throw new SregistryError("USAGE", `where to push ${file} is missing`, {
        hint: `sregistry push ${shellWord(file)} NAME:TAG`,
      });
    }
    if (isFileWord(named) && !isFileWord(file)) {
      throw new SregistryError("USAGE", `the file comes first, and then where to push it: ${named} is a file's name`, {
        hint: `sregistry push ${shellWord(named)} ${shellWord(file)}`,
      });
    }
    if (words[1] !== undefined && flags.text("name") !== undefined) {
      throw new SregistryError("USAGE", `both ${words[1]} and --name ${flags.text("name")} say where to push`);
    }
    return { file, reference: parseReference(named), ...pushOptions(named, flags) };
  },
  async run(input, context) {
    const services = await context.services();
    if (input.dryRun) {
      const { references, source, metadata } = await planPush(services, input);
      if (context.flags.structured) {
        return context.terminal.document({ dryRun: true, file: input.file, size: source.size, references });
      }
      const what = metadata === undefined ? "file" : `${metadata.architecture ?? "unknown architecture"} image`;
      for (const name of references)
        await context.terminal.line(`would push ${input.file} (${what}, ${source.size} bytes) to ${name}`);
      return undefined;
    }
    const call = await context.call();
    const outcome = await pushImage(services, input, call);
    if (outcome.transfer === "present") call.log.info("the registry holds this image already; only names were set");
    if (outcome.quota !== undefined) call.log.info(quotaWords(outcome.quota));
    if (outcome.page !== undefined) call.log.info(`Container URL: ${outcome.page}`);
    if (context.flags.structured) return context.terminal.document({ ...outcome });
    return context.terminal.line(outcome.pinned);
  },
});

function pushOptions(named: string, flags: Flags): Omit<Input, "file" | "reference"> {
  const more = flags.texts("tag").map((text) => parseTag(text));
  const tags = more.length === 0 ? [] : [...writtenTags(named), ...more];
  const description = flags.text("description");
  return {
    dryRun: flags.on("dry-run"),
    anyFile: flags.on("any-file"),
    allowUnsigned: flags.on("allow-unsigned"),
    plainManifest: flags.on("plain-manifest"),
    ...(tags.length === 0 ? {} : { tags }),
    ...(description === undefined ? {} : { description }),
  };
}

/** In the words of `singularity push`. */
function quotaWords({ used, total }: Quota): string {
  if (total === undefined) return `Library storage: using ${formatSize(used)} out of unlimited quota`;
  const percent = total === 0 ? 100 : (used / total) * 100;
  return `Library storage: using ${formatSize(used)} out of ${formatSize(total)} quota (${percent.toFixed(1)}% used)`;
}

/** The tag of the reference itself, if one was written: `push FILE lab/tool:1.0 --tag latest` sets both. */
function writtenTags(named: string): readonly Tag[] {
  const { selector } = parsePattern(named);
  return selector?.kind === "tag" ? [selector.tag] : [];
}
