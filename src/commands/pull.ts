import { readFile } from "node:fs/promises";
import { type PullInput, type PullOutcome, pull as pullImage } from "../client/pull.ts";
import { type ListedPull, pullAll } from "../client/pull-all.ts";
import type { Context } from "../context.ts";
import { SregistryError, systemCode } from "../errors.ts";
import { isFileWord } from "../reference/file-word.ts";
import { parseReference } from "../reference/parse.ts";
import { betterHint } from "./better-hint.ts";
import { failureWords, PullSummary } from "./pull-summary.ts";
import { PULL } from "./schemas/pull.ts";
import { ARCHITECTURE_OPTION } from "./shared.ts";
import { defineVerb, type Flags } from "./verb.ts";

interface Input {
  readonly pulls: readonly PullInput[];
  /** File with more references, one a line; `-` is standard input. */
  readonly fromFile: string | undefined;
  readonly common: Omit<PullInput, "reference" | "output">;
}

export const pull = defineVerb<Input>({
  about:
    "Fetch images to files: verified, and resumed where an earlier try ended. Of several the others go on when one fails; " +
    "the exit status is that of the first failure that trying again cannot mend, else 75.",
  arguments: [
    { name: "[reference...]", description: "what to pull; FILE REFERENCE is understood as Singularity's order" },
  ],
  options: [
    {
      flags: "-o, --output <file>",
      description: "name of the file; default lab-tool-1.0.sif, with a scheme tool_1.0.sif",
    },
    {
      flags: "--name <file>",
      description: "as --output, as the old client spells it",
      hidden: true,
      noEnv: "as --output",
    },
    {
      flags: "--dir <directory>",
      description: "directory of the files",
      env: ["SINGULARITY_PULLDIR", "SINGULARITY_PULLFOLDER"],
    },
    { flags: "-F, --force", description: "replace a file that holds something else" },
    {
      flags: "--from-file <list>",
      description: "references from a file, one a line; - is standard input",
    },
    { flags: "--cache", description: "by way of the image cache, also where none is configured" },
    { flags: "--no-cache", description: "past the image cache" },
    { flags: "--cache-only", description: "into the cache and no further; prints where it is" },
    ARCHITECTURE_OPTION,
  ],
  examples: [
    { command: "sregistry pull lab/tool:1.0", says: "to lab-tool-1.0.sif" },
    { command: "sregistry pull -o tool.sif oras://ghcr.io/org/tool:1.0", says: "from an OCI registry" },
    { command: "sregistry pull tool.sif oras://ghcr.io/org/tool:1.0", says: "the same, as Singularity orders it" },
    { command: "sregistry pull --from-file images.txt --dir images", says: "many at once" },
    { command: "sregistry pull --cache-only --from-file images.txt", says: "fetched ahead, for jobs without internet" },
  ],
  answers: [PULL],
  parse(words, flags) {
    const common = commonInput(flags);
    const fromFile = flags.text("from-file");
    const output = flags.text("output") ?? flags.text("name");
    if (words.length === 0 && fromFile === undefined) throw new SregistryError("USAGE", "the reference is missing");
    if (output !== undefined && (words.length > 1 || fromFile !== undefined)) {
      throw new SregistryError("USAGE", "--output names one file, but several references are given", {
        hint: "use --dir",
      });
    }
    if (common.cache === "only" && (output !== undefined || common.directory !== undefined)) {
      throw new SregistryError("USAGE", "--cache-only makes no file, but --output or --dir names one", {
        hint: "leave --cache-only out, or the name",
      });
    }
    return { pulls: parseWords(words, output).map((one) => ({ ...common, ...one })), fromFile, common };
  },
  async run({ pulls, fromFile, common }, context) {
    const listed = fromFile === undefined ? [] : parseList(await readList(fromFile, context), fromFile);
    if (fromFile !== undefined && listed.length === 0) {
      context.terminal.log.warn(`${fromFile === "-" ? "standard input" : fromFile} names no image`);
    }
    const inputs = [...pulls, ...listed.map((one) => ({ ...common, ...one }))];
    const [only] = inputs;
    const alone = fromFile === undefined && inputs.length === 1;
    return alone && only !== undefined ? runOne(only, context) : runAll(inputs, context);
  },
});

async function runOne(input: PullInput, context: Context): Promise<void> {
  const [services, call] = await Promise.all([context.services(), context.call()]);
  const outcome = await pullImage(services, input, call);
  tellPresent(outcome, input, context);
  if (context.flags.structured) await context.terminal.document({ images: [outcome], failures: [] });
  else await context.terminal.line(outcome.path);
}

/** Failures whose registry is asked for near names: with many, each would have to be waited for. */
const MOST_ASKED = 3;

/** Paths and failures come in the order of the references, each as soon as those before it are over. */
async function runAll(inputs: readonly ListedPull[], context: Context): Promise<void> {
  const { terminal, flags } = context;
  const [services, call] = await Promise.all([context.services(), context.call()]);
  const summary = new PullSummary(performance.now());
  const hints = new Set<string>();
  let asked = 0;
  await pullAll(services, inputs, call, async (entry) => {
    if (entry.failed === undefined) {
      summary.add(entry);
      tellPresent(entry.outcome, entry.input, context);
      return flags.structured ? undefined : terminal.line(entry.outcome.path);
    }
    asked += 1;
    const failed = asked <= MOST_ASKED ? await betterHint(entry.failed, context) : entry.failed;
    const { hint } = failed;
    summary.add({ ...entry, failed });
    terminal.log.warn(failureWords(entry.input, failed));
    if (hint !== undefined && !hints.has(hint)) terminal.log.info(`hint: ${hint}`);
    if (hint !== undefined) hints.add(hint);
  });
  if (flags.structured) await terminal.document(summary.document());
  const words = summary.words(performance.now());
  if (words !== undefined) terminal.log.info(words);
  if (summary.failed) throw summary.failure();
}

function tellPresent({ outcome, path }: PullOutcome, { cache }: PullInput, { terminal }: Context): void {
  if (outcome === "present" && cache !== "only") {
    terminal.log.info(`${path} holds this image already; nothing to download`);
  }
}

function commonInput(flags: Flags): Omit<PullInput, "reference" | "output"> {
  const directory = flags.text("dir");
  const architecture = flags.text("arch");
  const cache = cacheUse(flags);
  return {
    force: flags.on("force"),
    ...(cache === undefined ? {} : { cache }),
    ...(directory === undefined ? {} : { directory }),
    ...(architecture === undefined ? {} : { architecture }),
  };
}

/** What is typed counts before what a variable says. */
function cacheUse(flags: Flags): PullInput["cache"] {
  const never = flags.on("no-cache") && !(flags.typed("cache") && flags.on("cache"));
  if (flags.on("cache-only")) {
    if (!flags.typed("no-cache")) return "only";
    throw new SregistryError("USAGE", "--cache-only and --no-cache contradict each other");
  }
  if (never) return "never";
  return flags.on("cache") ? "always" : undefined;
}

/** Two words of which the first is a file name and the second has a scheme are Singularity's `pull FILE URI`. */
function parseWords(words: readonly string[], output: string | undefined): readonly PullInput[] {
  const [first = "", second = ""] = words;
  if (words.length === 2 && !first.includes("://") && (second.includes("://") || isFileWord(first))) {
    return [{ reference: parseReference(second), output: first }];
  }
  if (output !== undefined) return [{ reference: parseReference(first), output }];
  return words.map((word) => ({ reference: parseReference(word) }));
}

async function readList(file: string, context: Context): Promise<string> {
  if (file === "-") return context.readInput();
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    const why = systemCode(cause) === "ENOENT" ? "there is no such file" : "it cannot be read";
    throw new SregistryError("USAGE", `--from-file ${file}: ${why}`, { cause });
  }
}

/** Empty lines and lines that begin with # are passed over. @throws SregistryError that names the line. */
function parseList(text: string, file: string): readonly Pick<ListedPull, "reference" | "where">[] {
  return text.split("\n").flatMap((line, index) => {
    const name = line.trim();
    if (name === "" || name.startsWith("#")) return [];
    const where = `${file === "-" ? "standard input" : file} line ${index + 1}`;
    if (/\s/.test(name)) {
      throw new SregistryError("USAGE", `${where} has more than one word: ${JSON.stringify(name)}`, {
        hint: "one reference a line; a line that begins with # is passed over",
      });
    }
    try {
      return [{ reference: parseReference(name), where }];
    } catch (error) {
      if (!(error instanceof SregistryError)) throw error;
      const { code, message, hint } = error;
      throw new SregistryError(code, `${where}: ${message}`, { ...(hint === undefined ? {} : { hint }), cause: error });
    }
  });
}
