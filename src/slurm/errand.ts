/** What is asked of every node, and what it answers: one line of JSON each way between two processes of this program. */
import { count, field, type JsonObject, object, optional, parseJson, string } from "../decode.ts";
import { type ErrorCode, EXIT_STATUS, isCode, SregistryError } from "../errors.ts";
import { type Digest, parseDigest } from "../reference/digest.ts";

/** `look`: is it there, or can it come? `place`: give what has arrived its name. `copy`: fetch it, where nothing was sent. */
const STEPS = ["look", "place", "copy"] as const;
type Step = (typeof STEPS)[number];

export interface Errand {
  readonly step: Step;
  /** Absolute, on the node. */
  readonly target: string;
  /** Beside it: where a copy arrives. */
  readonly temporary: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** Replace a target that holds something else. */
  readonly force: boolean;
  /** Of `copy`: the file. */
  readonly source?: string | undefined;
}

/** `right`: it was there already. */
const STATES = ["right", "missing", "placed"] as const;
export type State = (typeof STATES)[number];

export interface Answer {
  /** Slurm's name for it. */
  readonly node: string;
  readonly outcome: State | SregistryError;
}

export function encodeErrand(errand: Errand): string {
  return JSON.stringify(errand);
}

/** @throws SregistryError USAGE: it was typed, or comes from another version. */
export function decodeErrand(text: string): Errand {
  try {
    const json = object(parseJson(text, "errand"), "errand");
    const step = STEPS.find((one) => one === json["step"]);
    if (step === undefined) throw new SregistryError("USAGE", "errand.step is not known");
    return {
      step,
      target: field(json, "target", string, "errand"),
      temporary: field(json, "temporary", string, "errand"),
      digest: parseDigest(field(json, "digest", string, "errand")),
      size: field(json, "size", count, "errand"),
      force: json["force"] === true,
      source: field(json, "source", optional(string), "errand"),
    };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new SregistryError("USAGE", `this is for the program itself, on the nodes of a job: ${why}`, { cause });
  }
}

export function encodeAnswer({ node, outcome }: Answer): string {
  if (!(outcome instanceof SregistryError)) return JSON.stringify({ node, state: outcome });
  const { code, message, hint } = outcome;
  return JSON.stringify({ node, code, message, hint });
}

/** The answers among what all nodes wrote; prologs and module files write there too. */
export function decodeAnswers(text: string): readonly Answer[] {
  return text.split("\n").flatMap((line) => {
    const answer = line.startsWith("{") ? decodeAnswer(line) : undefined;
    return answer === undefined ? [] : [answer];
  });
}

function decodeAnswer(line: string): Answer | undefined {
  try {
    const json = object(parseJson(line, "answer"), "answer");
    const node = field(json, "node", string, "answer");
    const outcome = STATES.find((one) => one === json["state"]) ?? failureIn(json);
    return { node, outcome };
  } catch (error) {
    if (isCode(error, "REPLY_INVALID")) return undefined;
    throw error;
  }
}

function failureIn(json: JsonObject): SregistryError {
  const code = field(json, "code", string, "answer");
  const hint = field(json, "hint", optional(string), "answer");
  const message = field(json, "message", string, "answer");
  return new SregistryError(isErrorCode(code) ? code : "INTERNAL", message, hint === undefined ? {} : { hint });
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(EXIT_STATUS, code);
}
