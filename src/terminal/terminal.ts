/** The two streams put together: the answer on stdout, the story (log, progress, questions, errors) on stderr. */
import type { Readable, Writable } from "node:stream";
import type { Log, Progress } from "../call.ts";
import type { SregistryError } from "../errors.ts";
import { redact } from "../secret.ts";
import type { Bars } from "./bar.ts";
import { errorDocument } from "./error-document.ts";
import { createOutput, type Output } from "./output.ts";
import type { Look } from "./page.ts";
import { createProgress, type ProgressMode } from "./progress.ts";
import { createPrompt, type Prompt } from "./prompt.ts";
import { safeBlock, safeJson, safeText, takesCommands, withoutCommands } from "./safe-text.ts";
import { createStatus } from "./status.ts";
import { asciiMarks, colourAllowed, colourStyle, plainStyle, type Style, showsUnicode } from "./style.ts";
import { alignedTable, type Cell, type Column, tabSeparatedLine } from "./table.ts";

export interface TerminalStreams {
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly stdout: Writable & { readonly isTTY?: boolean };
  readonly stderr: Writable & { readonly isTTY?: boolean };
}

export interface TerminalOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly quiet: boolean;
  readonly verbose: boolean;
  readonly debug: boolean;
  readonly json: boolean;
  /** What writes a document instead of JSON: its lines. */
  readonly render?: ((document: unknown) => readonly string[]) | undefined;
  readonly colour: boolean;
  readonly input: boolean;
  readonly progress: ProgressMode;
  readonly signal: AbortSignal;
}

export interface Terminal {
  readonly out: Output;
  readonly log: Log;
  readonly prompt: Prompt;
  /** `configured`: the mode where no flag says otherwise. */
  progress(configured?: ProgressMode): Promise<Progress>;
  /** How far the running transfers are, on stderr, whatever the flags say: somebody asked just now. */
  status(): void;
  /** One line of the answer. */
  line(text: string): Promise<void>;
  /** A heading of the answer: `text` in colour, where there is colour. */
  title(text: string): Promise<void>;
  /** What `make` lays out for this terminal, or for a pipe; text of others is made safe by it. */
  page(make: (look: Look) => string): Promise<void>;
  /** Text of several lines that came from a server or an image. */
  block(text: string): Promise<void>;
  /** A screen of help, its headings in bold where there is colour. */
  screen(text: string): Promise<void>;
  /** The answer as one document, with `schemaVersion` first: JSON, or what `--format` makes of it. */
  document(document: Readonly<Record<string, unknown>>): Promise<void>;
  /**
   * A table for people on a terminal, no wider than that; TSV without header in a pipe, where rows flow in constant memory.
   * `none`: what people are told where there is no row.
   */
  table(header: readonly (string | Column)[], rows: AsyncIterable<readonly Cell[]>, none?: string): Promise<void>;
  /** The closing words of a failed run. */
  failure(error: SregistryError): Promise<void>;
  /** Nothing more is drawn: this process is about to be ended. */
  close(): void;
  flush(): Promise<void>;
}

/** Version of the shape of every `--json` document. */
export const JSON_SCHEMA_VERSION = 1;

/** Why nobody is asked anything; undefined where somebody is there. */
function nobodyToAsk(
  { stdin, stderr }: TerminalStreams,
  { input, env }: Pick<TerminalOptions, "input" | "env">,
): string | undefined {
  if (!input) return "--no-input says so";
  if ((env["CI"] ?? "") !== "") return "the variable CI is set";
  if (stdin.isTTY !== true) return "standard input is no terminal";
  return stderr.isTTY === true ? undefined : "standard error is no terminal";
}

/** A line of help that others are indented below. */
const HEADING = /^\S.*:$/gm;

export async function createTerminal(streams: TerminalStreams, options: TerminalOptions): Promise<Terminal> {
  const guard = takesCommands(options.env) ? withoutCommands : undefined;
  const out = createOutput(streams.stdout, guard);
  const err = createOutput(streams.stderr, guard);
  const colour = async (output: Output): Promise<Style> =>
    colourAllowed({ isTerminal: output.isTerminal, wanted: options.colour, env: options.env })
      ? await colourStyle()
      : plainStyle;
  const style = await colour(out);
  const errorStyle = await colour(err);
  let bars: Bars | undefined;
  const clock = (): number => performance.now();
  const running = createStatus(clock);
  const tell = (line: string): void => {
    const clean = redact(line);
    const write = (): void => void err.write(`${clean}\n`);
    if (bars?.above(write) !== true) write();
  };
  /** The answer may come while other images are still under way, and both be on one terminal. */
  const answer = (text: string): Promise<void> => {
    let written: Promise<void> | undefined;
    if (out.isTerminal) {
      bars?.above(() => {
        written = out.write(text);
      });
    }
    return written ?? out.write(text);
  };
  // With --progress json every line is an event, so that who reads them need not tell them from text.
  let asEvents = options.progress === "json";
  const say = (level: "info" | "warning" | "verbose" | "debug", message: string, shown: string): void =>
    tell(asEvents ? eventLine({ event: "message", level, text: redact(message) }) : shown);
  const log: Log = {
    info: (message) => options.quiet || say("info", message, safeText(message)),
    warn: (message) => say("warning", message, `${errorStyle.warning("warning:")} ${safeText(message)}`),
    verbose: (message) =>
      (options.verbose || options.debug) && say("verbose", message, errorStyle.dim(safeText(message))),
    debug: (message) => options.debug && say("debug", message, errorStyle.dim(`debug: ${safeText(message)}`)),
  };
  const unasked = nobodyToAsk(streams, options);
  return {
    out,
    log,
    prompt: createPrompt({ unasked, input: streams.stdin, output: streams.stderr, signal: options.signal }),
    async progress(configured = "auto") {
      const progressFlag = options.progress === "auto" ? configured : options.progress;
      const mode = resolveMode({ ...options, progress: progressFlag }, err);
      const unicode = showsUnicode(options.env);
      const progress = await createProgress({ mode, out: err, clock, style: errorStyle, unicode });
      if (mode === "bar") bars = progress as Bars;
      asEvents ||= mode === "json";
      return running.watch(progress);
    },
    status() {
      const lines = running.lines();
      for (const one of lines.length > 0 ? lines : ["nothing is being transferred"]) {
        tell(asEvents ? eventLine({ event: "status", text: one }) : safeText(one));
      }
    },
    line: (text) => answer(`${safeText(text)}\n`),
    title: (text) => answer(`${style.name(safeText(text))}\n`),
    page: (make) => answer(make({ style, room: out.room })),
    block: (text) => answer(`${safeBlock(text).replace(/\n+$/, "")}\n`),
    screen: (text) => answer(text.replace(HEADING, (heading) => style.bold(heading))),
    document: (document) => writeDocument(out, { schemaVersion: JSON_SCHEMA_VERSION, ...document }, options.render),
    async table(header, rows, none) {
      const count = await writeTable({ out, style, header, rows, unicode: showsUnicode(options.env) });
      if (count === 0 && none !== undefined) log.info(none);
    },
    async failure(error) {
      bars?.close();
      const hint = error.hint === undefined ? undefined : safeText(error.hint);
      if (options.json || asEvents) {
        const document = { error: errorDocument(error) };
        await err.write(`${asEvents ? eventLine(document) : safeJson(document)}\n`);
      } else {
        tell(`${errorStyle.error("error:")} ${safeText(error.message)}`);
        if (hint !== undefined) tell(`${errorStyle.dim("hint:")} ${hint}`);
      }
      if (options.debug) say("debug", stackOf(error), stackOf(error));
    },
    close: () => bars?.close(),
    async flush() {
      bars?.close();
      await out.flush();
      await err.flush();
    },
  };
}

function resolveMode({ progress, quiet, json, env }: TerminalOptions, err: Output): Exclude<ProgressMode, "auto"> {
  if (quiet) return "none";
  if (progress !== "auto") return progress;
  // Of the ranks of a batch job's step the first one tells the story of all.
  if (Number(env["SLURM_PROCID"] ?? 0) > 0) return "none";
  if (json && !err.isTerminal) return "none";
  return err.isTerminal && env["TERM"] !== "dumb" ? "bar" : "plain";
}

function eventLine(event: object): string {
  return safeJson(event, 0);
}

async function writeDocument(out: Output, document: unknown, render: TerminalOptions["render"]): Promise<void> {
  const lines = render === undefined ? [safeJson(document)] : render(document);
  for (const line of lines) await out.write(`${line}\n`);
}

interface TableInput {
  readonly out: Output;
  readonly style: Style;
  readonly header: readonly (string | Column)[];
  readonly unicode: boolean;
  readonly rows: AsyncIterable<readonly Cell[]>;
}

/** How many rows a terminal has been shown; undefined in a pipe. */
async function writeTable({ out, style, header, rows, unicode }: TableInput): Promise<number | undefined> {
  if (!out.isTerminal) {
    for await (const row of rows) {
      if (out.closed) break;
      await out.write(tabSeparatedLine(row));
    }
    return undefined;
  }
  const all: (readonly Cell[])[] = [];
  for await (const row of rows) all.push(row);
  if (all.length > 0) {
    const text = alignedTable(header, all, { room: out.room, style });
    await out.write(unicode ? text : asciiMarks(text));
  }
  return all.length;
}

function stackOf(error: Error): string {
  const lines: string[] = [];
  for (let cause: unknown = error; cause instanceof Error && lines.length < 5; cause = cause.cause) {
    lines.push(cause.stack ?? cause.message);
  }
  return safeStack(lines.join("\ncaused by: "));
}

function safeStack(text: string): string {
  return redact(safeBlock(text));
}
