/** What one round does: drawn from the seed and the round's number alone, and plain JSON, to be shown when the round fails. */
import { type Dice, dice } from "./dice.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

/** `parts`: a library push in several parts. */
export type Kind = "oras" | "library" | "parts" | "shub" | "local";

export type Verb =
  /** To a new name. */
  | "pull"
  /** Over another file. */
  | "replace"
  /** Two images to one name, both with force. */
  | "contend"
  /** Into the cache. */
  | "get"
  | "push"
  /** Two images to one tag at the same time. */
  | "race"
  | "copy"
  /** Processes of the built program that get a signal in the middle. */
  | "killed pull"
  | "killed get"
  | "killed push";

export type What =
  | "cut the answer"
  | "cut the request"
  | "cut at once"
  | "stall"
  | "status"
  | "lose the answer"
  | "wrong byte"
  | "wrong byte sent"
  | "wrong length"
  | "forged range"
  | "ignored range"
  | "redirect"
  | "slow"
  | "delay";

export interface FaultPlan {
  readonly where: "body" | "upload" | "any";
  readonly what: What;
  /** Matching requests that go through before. */
  readonly skip: number;
  readonly times: number;
  /** A byte, a status, a rate or milliseconds, as `what` has it. */
  readonly value: number;
  readonly how: "fin" | "rst";
  /** Seconds of Retry-After. */
  readonly retryAfter?: number;
}

export interface Kill {
  readonly signal: "SIGKILL" | "SIGTERM" | "SIGINT";
  /** Milliseconds after the start. */
  readonly after: number;
}

export interface Plan {
  readonly seed: number;
  readonly round: number;
  readonly verb: Verb;
  readonly kind: Kind;
  /** Of a copy. */
  readonly to?: Kind;
  /** Of a copy: both repositories are at one endpoint. */
  readonly within?: boolean;
  /** Bytes of the image. */
  readonly size: number;
  /** At a time. */
  readonly pullers: number;
  readonly parallel: { readonly concurrency?: number; readonly partSize?: number };
  /** Tries while there are faults; one without follows. */
  readonly tries: number;
  readonly faults: readonly FaultPlan[];
  /** Milliseconds after which the first try is stopped. */
  readonly stop?: number;
  readonly kills: readonly Kill[];
  /** An earlier pull of another image was killed beside the target. */
  readonly abandoned: boolean;
}

/** Most are in this process, where thousands are made a minute. */
const VERBS: readonly Verb[] = [
  ...many(12, "pull"),
  ...many(4, "replace"),
  ...many(3, "contend"),
  ...many(4, "get"),
  ...many(9, "push"),
  ...many(3, "race"),
  ...many(4, "copy"),
];
const KILLED: readonly Verb[] = ["killed pull", "killed pull", "killed get", "killed push"];
/** Processes take two orders of magnitude longer. */
const KILLED_SHARE = 0.015;

function many(count: number, item: Verb): readonly Verb[] {
  return Array.from({ length: count }, () => item);
}

export function planOf(seed: number, round: number): Plan {
  const draw = dice(seed, round);
  const verb = draw.chance(KILLED_SHARE) ? draw.pick(KILLED) : draw.pick(VERBS);
  const isKilled = verb.startsWith("killed");
  const kind = kindFor(verb, draw);
  const size = isKilled ? draw.whole(1, 40 * MIB) : sizeOf(draw);
  const sends = verb === "push" || verb === "race" || verb === "copy" || verb === "killed push";
  const faultCount = kind === "local" && verb !== "copy" ? 0 : draw.pick(isKilled ? [0, 0, 1] : [0, 1, 1, 2, 2, 3, 4]);
  return {
    seed,
    round,
    verb,
    kind,
    ...(verb === "copy"
      ? { to: draw.pick(["oras", "oras", "library", "parts", "local"]), within: draw.chance(0.3) }
      : {}),
    size,
    pullers: sends || verb === "contend" ? 1 : draw.pick([1, 1, 1, 2, 3, 6]),
    parallel: parallelOf(draw),
    tries: draw.pick([1, 1, 2, 3]),
    faults: Array.from({ length: faultCount }, () => faultOf(draw, size, { sends, isShub: kind === "shub", isKilled })),
    ...(draw.chance(0.1) ? { stop: draw.whole(0, 120) } : {}),
    kills: isKilled ? Array.from({ length: draw.whole(1, 3) }, () => killOf(draw)) : [],
    abandoned: draw.chance(0.2),
  };
}

function kindFor(verb: Verb, draw: Dice): Kind {
  if (verb.startsWith("killed")) return draw.pick(["oras", "oras", "library"]);
  if (verb === "push" || verb === "race")
    return draw.pick(["oras", "oras", "oras", "library", "parts", "parts", "local"]);
  // shub promises no digest, and what has none is in no cache.
  if (verb === "get") return draw.pick(["oras", "oras", "library", "local"]);
  return draw.pick(["oras", "oras", "oras", "library", "library", "shub", "local"]);
}

/** Small ones are many; those at a border of MiB, and beside one, are where parts end. */
function sizeOf(draw: Dice): number {
  const border = (draw.whole(1, 40) * MIB + draw.pick([-1, 0, 0, 1])) as number;
  return draw.pick([
    draw.pick([0, 1, 2, 1297, 1298, 1299]),
    draw.whole(0, 64 * KIB),
    draw.whole(0, MIB),
    draw.whole(0, MIB),
    draw.whole(MIB, 4 * MIB),
    draw.whole(MIB, 4 * MIB),
    draw.whole(4 * MIB, 12 * MIB),
    draw.chance(0.4) ? border : Math.ceil(border / 8),
  ]);
}

function parallelOf(draw: Dice): Plan["parallel"] {
  return {
    ...(draw.chance(0.5) ? { concurrency: draw.whole(1, 8) } : {}),
    ...(draw.chance(0.6) ? { partSize: draw.pick([1, 64 * KIB, 100_001, 256 * KIB, MIB, 5 * MIB]) } : {}),
  };
}

interface FaultChoice {
  readonly sends: boolean;
  readonly isShub: boolean;
  readonly isKilled: boolean;
}

function faultOf(draw: Dice, size: number, { sends, isShub, isKilled }: FaultChoice): FaultPlan {
  const where = draw.pick(
    sends ? (["upload", "upload", "body", "any"] as const) : (["body", "body", "body", "any"] as const),
  );
  const what = isKilled ? draw.pick<What>(["cut the answer", "status", "delay"]) : draw.pick(WHATS[where]);
  const isRetryLater = what === "status" && draw.chance(0.4);
  return {
    where,
    // Nothing tells that a byte of an image without a digest is another.
    what: isShub && what === "wrong byte" ? "cut the answer" : what,
    skip: draw.pick([0, 0, 0, 1, 2, 5]),
    times: draw.pick([1, 1, 1, 2, 3, 6, 12]),
    value: amountFor(draw, what, size),
    how: draw.pick(["fin", "rst"]),
    ...(isRetryLater ? { retryAfter: draw.pick([0, 0, 0, 1]) } : {}),
  };
}

const WHATS: Readonly<Record<FaultPlan["where"], readonly What[]>> = {
  body: [
    ...([
      "cut the answer",
      "cut the answer",
      "cut the answer",
      "cut at once",
      "stall",
      "status",
      "wrong byte",
    ] as const),
    ...(["wrong byte", "wrong length", "forged range", "ignored range", "redirect", "slow", "delay"] as const),
  ],
  upload: [
    ...(["cut the request", "cut the request", "cut the request", "cut the answer", "cut at once", "stall"] as const),
    ...(["status", "status", "lose the answer", "lose the answer", "wrong byte sent", "delay"] as const),
  ],
  any: ["cut the answer", "cut at once", "stall", "status", "status", "delay"],
};

function amountFor(draw: Dice, what: What, size: number): number {
  if (what === "status") return draw.pick([429, 500, 502, 503, 503, 504, 408]);
  if (what === "lose the answer") return draw.pick([0, 500, 502, 504]);
  if (what === "wrong length") return draw.pick([-1, 1, -draw.whole(1, size + 1), draw.whole(1, MIB)]);
  if (what === "slow") return Math.max(2 * MIB, size) * draw.whole(1, 4);
  if (what === "delay") return draw.whole(1, 100);
  const border = Math.min(size, draw.whole(0, 40) * MIB);
  return draw.pick([
    0,
    1,
    Math.max(0, size - 1),
    size,
    border,
    draw.whole(0, size),
    draw.whole(0, size),
    draw.whole(0, size),
  ]);
}

function killOf(draw: Dice): Kill {
  return { signal: draw.pick(["SIGKILL", "SIGKILL", "SIGTERM", "SIGINT"]), after: draw.whole(100, 1200) };
}
