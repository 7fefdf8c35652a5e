/** A terminal whose streams are looked at, without a program around it. */
import { PassThrough, Writable } from "node:stream";
import { createTerminal, type TerminalOptions } from "../../src/terminal/terminal.ts";

/** A stream that keeps what is written. */
export function collector(tty = false): Writable & { text: string; isTTY: boolean; columns: number } {
  const stream = new Writable({
    write(chunk, _encoding, done) {
      made.text += String(chunk);
      done();
    },
  });
  const made = Object.assign(stream, { text: "", isTTY: tty, columns: 80 });
  return made;
}

export const OPTIONS: TerminalOptions = {
  env: {},
  quiet: false,
  verbose: false,
  debug: false,
  json: false,
  colour: true,
  input: true,
  progress: "none",
  signal: new AbortController().signal,
};

/** A terminal of two collectors. */
export async function terminal(options: Partial<TerminalOptions> = {}, tty = false) {
  const [stdout, stderr] = [collector(tty), collector(tty)];
  return {
    stdout,
    stderr,
    terminal: await createTerminal({ stdin: new PassThrough(), stdout, stderr }, { ...OPTIONS, ...options }),
  };
}

export async function* rowsOf(...rows: readonly (readonly string[])[]): AsyncGenerator<readonly string[]> {
  yield* rows;
}
