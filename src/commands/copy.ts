import type { Call } from "../call.ts";
import type { CopyAllInput, CopyEntry, CopyInput, CopyOptions, CopyOutcome } from "../client/copy.ts";
import { copyAll, copy as copyImage } from "../client/copy.ts";
import { parseDestination, parseRepository } from "../client/copy-names.ts";
import type { Services } from "../client/services.ts";
import type { Context } from "../context.ts";
import { SregistryError } from "../errors.ts";
import { isFileWord } from "../reference/file-word.ts";
import { repositoryName } from "../reference/format.ts";
import { parseTag } from "../reference/name.ts";
import { parseReference } from "../reference/parse.ts";
import { shellWord } from "../shell-word.ts";
import { errorDocument } from "../terminal/error-document.ts";
import { CopySummary } from "./copy-summary.ts";
import { COPY, COPY_ALL } from "./schemas/copy.ts";
import { defineVerb, type Flags, requireWord } from "./verb.ts";

type Input =
  | ({ readonly kind: "one" } & CopyInput)
  /** Every tag, or those that were asked for. */
  | ({ readonly kind: "all" } & CopyAllInput);

export const copy = defineVerb<Input>({
  arguments: [
    { name: "<source>", description: "an image, or with --all a repository" },
    { name: "<destination>", description: "where to; without a tag the source's" },
  ],
  options: [
    {
      flags: "--tag <tag>",
      description: "a tag to set; may be given several times; with --all: one to copy",
      repeatable: true,
    },
    {
      flags: "--all",
      description: "every tag of a repository; what is there already costs requests only",
      variable: "SREGISTRY_COPY_ALL",
    },
    // Without the variables of pull: they must not make one image of an index.
    { flags: "--arch <architecture>", description: "the one image of an index; default between OCI registries: all" },
    { flags: "--referrers", description: "signatures and the like that are attached to the image, too" },
    {
      flags: "-U, --allow-unsigned",
      description: "send it unsigned where the endpoint asks for a signature",
      env: ["SINGULARITY_ALLOW_UNSIGNED"],
    },
    { flags: "--any-file", description: "send a file that is no SIF" },
    { flags: "--dry-run", description: "ask both sides what would be done, and do nothing" },
  ],
  examples: [
    { command: "sregistry copy library://lab/tools/blast:1.0 oras://ghcr.io/lab/blast", says: "to another registry" },
    {
      command: "sregistry copy oras://ghcr.io/lab/blast:1.0 blast --tag 1.0 --tag new",
      says: "to the default registry, with two tags",
    },
    { command: "sregistry copy --all oras://ghcr.io/lab/blast oras://mirror.lab/blast", says: "a mirror" },
  ],
  answers: [COPY, COPY_ALL],
  answer: ({ kind }) => (kind === "one" ? COPY : COPY_ALL),
  parse(words, flags) {
    const from = requireWord(words, 0, "the image to copy");
    const to = requireWord(words, 1, "where to copy it");
    refuseFiles(from, to);
    const tags = flags.texts("tag").map((text) => parseTag(text));
    const options = copyOptions(flags);
    if (flags.on("all")) {
      const ends = { source: parseRepository(from), destination: parseRepository(to) };
      return { kind: "all", ...ends, ...options, ...(tags.length === 0 ? {} : { tags }) };
    }
    return { kind: "one", source: parseReference(from), ...parseDestination(to, tags), ...options };
  },
  async run(input, context) {
    const [services, call] = await Promise.all([context.services(), context.call()]);
    return input.kind === "one" ? runOne(input, services, context, call) : runAll(input, services, context, call);
  },
});

function refuseFiles(from: string, to: string): void {
  const file = [from, to].find(isFileWord);
  if (file === undefined) return;
  throw new SregistryError("USAGE", `${file} is a file's name, and copy goes from registry to registry`, {
    hint:
      file === from
        ? `sregistry push ${shellWord(from)} ${isFileWord(to) ? "NAME:TAG" : shellWord(to)}`
        : `sregistry pull -o ${shellWord(to)} ${shellWord(from)}`,
  });
}

function copyOptions(flags: Flags): CopyOptions {
  const architecture = flags.text("arch");
  return {
    allowUnsigned: flags.on("allow-unsigned"),
    anyFile: flags.on("any-file"),
    referrers: flags.on("referrers"),
    dryRun: flags.on("dry-run"),
    ...(architecture === undefined ? {} : { architecture }),
  };
}

async function runOne(input: CopyInput, services: Services, { flags, terminal }: Context, call: Call): Promise<void> {
  const outcome = await copyImage(services, input, call);
  const { source, references, pinned } = outcome;
  const names = references.length === 0 ? [repositoryName(input.destination)] : references;
  if (flags.structured)
    return terminal.document({ ...(input.dryRun === true ? { dryRun: true } : {}), ...shown(outcome) });
  if (input.dryRun === true) {
    const words = outcome.outcome === "same" ? "is already at" : "would be copied to";
    for (const name of names) await terminal.line(`${source} ${words} ${name}`);
    return undefined;
  }
  if (outcome.outcome === "same") call.log.info(`${names.join(", ")} is this very image already; nothing was copied`);
  return terminal.line(pinned ?? names.join(" "));
}

async function runAll(
  input: CopyAllInput,
  services: Services,
  { flags, terminal }: Context,
  call: Call,
): Promise<void> {
  const summary = new CopySummary();
  const entries = copyAll(services, input, call);
  if (flags.structured) {
    const images: Record<string, unknown>[] = [];
    for await (const entry of entries) {
      summary.add(entry);
      images.push(entryShown(entry));
    }
    await terminal.document({ ...(input.dryRun === true ? { dryRun: true } : {}), images, summary: summary.counts });
  } else {
    await terminal.table(["TAG", "RESULT", "REFERENCE"], rows(entries, summary, call));
  }
  const way = `${repositoryName(input.source)} to ${repositoryName(input.destination)}`;
  call.log.info(`${way}: ${summary.words}${input.dryRun === true ? " (nothing was done: --dry-run)" : ""}`);
  if (summary.worst !== undefined) throw summary.failure(repositoryName(input.source));
}

async function* rows(
  entries: AsyncIterable<CopyEntry>,
  summary: CopySummary,
  { log }: Call,
): AsyncGenerator<readonly string[]> {
  for await (const entry of entries) {
    summary.add(entry);
    if (entry.failed !== undefined) log.warn(`${entry.tag}: ${entry.failed.message}`);
    yield entry.failed === undefined
      ? [entry.tag, entry.outcome, entry.pinned ?? entry.references.join(" ")]
      : [entry.tag, "failed", ""];
  }
}

function shown({ pinned, ...outcome }: CopyOutcome): Record<string, unknown> {
  return { ...outcome, pinned: pinned ?? null };
}

function entryShown(entry: CopyEntry): Record<string, unknown> {
  const { tag, failed } = entry;
  if (failed === undefined) {
    const { failed: _failed, ...outcome } = entry;
    return { tag, ...shown(outcome) };
  }
  return { tag, outcome: "failed", error: errorDocument(failed) };
}
