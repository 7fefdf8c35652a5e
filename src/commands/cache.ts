import {
  cacheContents,
  cacheDirectory,
  cleanCache,
  listCache,
  type Pruned,
  type PruneLimits,
  pruneCache,
  requireIntact,
  verifyCache,
} from "../client/cache-care.ts";
import type { Context } from "../context.ts";
import { SregistryError } from "../errors.ts";
import { dateCell, digestCell, sizeCell } from "../terminal/cells.ts";
import type { Cell, Column } from "../terminal/table.ts";
import { formatSize } from "../units.ts";
import { unknownAction } from "./actions.ts";
import { CACHE_CLEAN, CACHE_LIST, CACHE_PATH, CACHE_PRUNE, CACHE_VERIFY } from "./schemas/cache.ts";
import { type ActionSpec, defineVerb, type Flags, requireWord } from "./verb.ts";

const NAMES = ["path", "list", "verify", "prune", "clean"] as const;
type Action = (typeof NAMES)[number];

const ACTIONS: readonly (ActionSpec & { readonly name: Action })[] = [
  { name: "path", description: "print its directory" },
  { name: "list", description: "show what is in it" },
  { name: "verify", description: "hash everything; what is damaged is removed" },
  { name: "prune", description: "remove what was not used for long" },
  { name: "clean", description: "remove everything" },
];

const ANSWERS = {
  path: CACHE_PATH,
  list: CACHE_LIST,
  verify: CACHE_VERIFY,
  prune: CACHE_PRUNE,
  clean: CACHE_CLEAN,
};

interface Input {
  readonly action: Action;
  readonly limits: PruneLimits;
  readonly force: boolean;
}

export const cache = defineVerb<Input>({
  arguments: [
    {
      name: "<action>",
      description: NAMES.join(", "),
      actions: ACTIONS,
    },
  ],
  options: [
    {
      flags: "--max-size <size>",
      description: "prune: what may stay: 500M, 50GiB, 1T",
      actions: ["prune"],
      variable: "SREGISTRY_CACHE_MAX_SIZE",
    },
    {
      flags: "--older-than <age>",
      description: "prune: what was not used for: 12h, 30d, 8w",
      actions: ["prune"],
      variable: "SREGISTRY_CACHE_OLDER_THAN",
    },
    { flags: "--dry-run", description: "prune: say what would go", actions: ["prune"] },
    { flags: "-f, --force", description: "clean: do not ask", actions: ["clean"], noEnv: "what is gone is gone" },
  ],
  examples: [
    { command: "sregistry cache list", says: "what is in it, and when it was used last" },
    { command: "sregistry cache prune --max-size 200GiB --older-than 60d", says: "least recently used first" },
    { command: "sregistry cache verify", says: "after a disk failed" },
  ],
  answers: Object.values(ANSWERS),
  answer: ({ action }) => ANSWERS[action],
  parse(words, flags) {
    const word = requireWord(words, 0, "what to do with the cache");
    const action = NAMES.find((one) => one === word);
    if (action === undefined) throw unknownAction("cache", word, ACTIONS);
    return { action, limits: parseLimits(action, flags), force: flags.on("force") };
  },
  async run({ action, limits, force }, context) {
    switch (action) {
      case "path": {
        const directory = await cacheDirectory(await context.services());
        return context.flags.structured ? context.terminal.document({ directory }) : context.terminal.line(directory);
      }
      case "list":
        return list(context);
      case "verify":
        return verify(context);
      case "prune":
        return report(await pruneCache(await context.services(), limits), limits.dryRun === true, context);
      case "clean":
        if (!force) await confirmClean(context);
        return report(await cleanCache(await context.services()), false, context);
    }
  },
});

const LIST_COLUMNS: readonly Column[] = [
  { title: "DIGEST", tone: "dim" },
  { title: "SIZE", align: "right" },
  { title: "USED", drop: 1 },
  { title: "REFERENCE", cut: "middle", least: 24 },
];

async function list({ services, terminal, flags }: Context): Promise<void> {
  const listing = await listCache(await services());
  if (flags.structured) return terminal.document({ ...listing });
  const now = Date.now();
  await terminal.table(
    LIST_COLUMNS,
    each(listing.entries, ({ digest, size, used, reference = "" }) => [
      digestCell(digest),
      sizeCell(size),
      dateCell(used, now),
      reference,
    ]),
    `nothing is in ${listing.directory}`,
  );
}

async function verify({ services, call, terminal, flags }: Context): Promise<void> {
  const found = await verifyCache(await services(), await call());
  if (flags.structured) await terminal.document({ ...found });
  else {
    const rows = [
      ...found.intact.map((path) => ["intact", path]),
      ...found.damaged.map(({ path }) => ["damaged", path]),
    ];
    await terminal.table(
      ["STATE", "PATH"],
      each(rows, (row) => row),
    );
  }
  requireIntact(found);
}

async function confirmClean({ services, terminal }: Context): Promise<void> {
  const { directory, count, size } = await cacheContents(await services());
  // What is left of downloads alone is no loss.
  if (count === 0) return;
  const what = `${count} image${count === 1 ? "" : "s"} (${formatSize(size)})`;
  const sure = await terminal.prompt.confirm(`Remove ${what} from ${directory}?`, "--force");
  if (!sure) throw new SregistryError("USAGE", `${directory} was not cleaned: the answer was no`);
}

async function report(
  { removed, kept, justUsed, leftovers }: Pruned,
  dryRun: boolean,
  context: Context,
): Promise<void> {
  const { log } = await context.call();
  const size = removed.reduce((sum, entry) => sum + entry.size, 0);
  if (context.flags.structured) {
    const shown = (entries: Pruned["removed"]) =>
      entries.map(({ digest, path, size: bytes }) => ({ digest, path, size: bytes }));
    const stayed = { kept: shown(kept), justUsed: shown(justUsed) };
    await context.terminal.document({ dryRun, removed: shown(removed), size, ...stayed, leftovers });
  } else for (const { path } of removed) await context.terminal.line(path);
  const files = `${leftovers.length} file${leftovers.length === 1 ? "" : "s"}`;
  const rest = leftovers.length === 0 ? "" : `, and ${files} of downloads that nobody goes on with`;
  log.info(`${dryRun ? "would remove" : "removed"} ${images(removed.length)} (${formatSize(size)})${rest}`);
  if (justUsed.length > 0) log.info(`${images(justUsed.length)} used in the last minute stayed`);
  for (const { path } of kept) log.warn(`${path} could not be removed: it belongs to somebody else`);
}

function images(count: number): string {
  return `${count} image${count === 1 ? "" : "s"}`;
}

async function* each<T>(items: readonly T[], row: (item: T) => readonly Cell[]): AsyncGenerator<readonly Cell[]> {
  for (const item of items) yield row(item);
}

function parseLimits(action: Action, flags: Flags): PruneLimits {
  const [maxSize, olderThan] = [flags.text("max-size"), flags.text("older-than")];
  if (action !== "prune") return {};
  if (maxSize === undefined && olderThan === undefined) {
    throw new SregistryError("USAGE", "nothing says what may stay in the cache", {
      hint: "sregistry cache prune --max-size 50GiB --older-than 30d; clean removes everything",
    });
  }
  return {
    ...(maxSize === undefined ? {} : { maxSize: parseSize(maxSize) }),
    ...(olderThan === undefined ? {} : { olderThan: parseAge(olderThan) }),
    dryRun: flags.on("dry-run"),
  };
}

const POWERS = ["", "K", "M", "G", "T", "P"];

/** `500M` and `500MiB` are powers of 1024, `500MB` of 1000. */
function parseSize(text: string): number {
  const match = /^(\d{1,9}(?:\.\d{1,3})?) ?([KMGTP]?)(iB|B|)$/i.exec(text);
  const base = match?.[3]?.toLowerCase() === "b" && match[2] !== "" ? 1000 : 1024;
  const bytes = Number(match?.[1]) * base ** POWERS.indexOf(match?.[2]?.toUpperCase() ?? "");
  if (match !== null && Number.isSafeInteger(Math.round(bytes))) return Math.round(bytes);
  throw new SregistryError("USAGE", `--max-size ${JSON.stringify(text)} is no size: expected 500M, 50GiB or 1T`);
}

const HOUR = 60 * 60 * 1000;
const UNITS: Readonly<Record<string, number>> = { m: 60_000, h: HOUR, d: 24 * HOUR, w: 7 * 24 * HOUR };

function parseAge(text: string): number {
  const match = /^(\d{1,6})([mhdw])$/.exec(text);
  if (match !== null) return Number(match[1]) * (UNITS[match[2] ?? ""] ?? 0);
  throw new SregistryError("USAGE", `--older-than ${JSON.stringify(text)} is no age: expected 12h, 30d or 8w`);
}
