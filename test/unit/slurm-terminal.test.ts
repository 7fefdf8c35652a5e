/** What a batch job sees of a transfer: one rank tells of it, and SIGUSR1 asks for a line. */
import { PassThrough } from "node:stream";
import { expect, it } from "vitest";
import { silentProgress } from "../../src/call.ts";
import { createStatus } from "../../src/terminal/status.ts";
import { createTerminal, type TerminalOptions } from "../../src/terminal/terminal.ts";

const MIB = 1024 * 1024;
const OPTIONS: TerminalOptions = {
  env: {},
  quiet: false,
  verbose: false,
  debug: false,
  json: false,
  colour: false,
  input: false,
  progress: "auto",
  signal: new AbortController().signal,
};

async function terminal(options: Partial<TerminalOptions>) {
  const stderr = new PassThrough();
  const made = await createTerminal(
    { stdin: new PassThrough(), stdout: new PassThrough(), stderr },
    { ...OPTIONS, ...options },
  );
  return { terminal: made, written: () => String(stderr.read() ?? "") };
}

it.each([
  [{}, "a: 10 B\n"],
  [{ SLURM_PROCID: "0" }, "a: 10 B\n"],
  [{ SLURM_PROCID: "7" }, ""],
])("of the ranks only the first shows progress: %j", async (env, expected) => {
  const { terminal: one, written } = await terminal({ env });
  (await one.progress()).start("a", 10);
  expect(written()).toBe(expected);
});

it("a rank that is told to show progress does", async () => {
  const { terminal: one, written } = await terminal({ env: { SLURM_PROCID: "7" }, progress: "plain" });
  (await one.progress()).start("a", 10);
  expect(written()).toBe("a: 10 B\n");
});

it("what runs is told in a line each, with the rate of what came in this run", () => {
  let now = 0;
  const status = createStatus(() => now);
  const watched = status.watch(silentProgress);
  const [one, two, three] = [watched.start("one", 40 * MIB), watched.start("two"), watched.start("three", 0)];
  one.at(10 * MIB, "found");
  now = 2_000;
  one.at(30 * MIB);
  two.state("waiting for job 4711 on node n12");
  expect(status.lines()).toEqual([
    "one: 30.0 MiB of 40.0 MiB, 75%, 10.0 MiB/s",
    "two: 0 B, waiting for job 4711 on node n12",
    "three: 0 B, 0 B/s",
  ]);
  one.done();
  three.fail();
  two.at(MIB);
  expect(status.lines()).toEqual(["two: 1.0 MiB, 512.0 KiB/s"]);
});

it("the line comes with --quiet too, as JSON among JSON, and also when there is nothing to tell", async () => {
  const quiet = await terminal({ quiet: true });
  quiet.terminal.status();
  expect(quiet.written()).toBe("nothing is being transferred\n");
  (await quiet.terminal.progress()).start("a\u001b[2J", 10);
  quiet.terminal.status();
  expect(quiet.written()).toBe("a\\u001b[2J: 0 B of 10 B, 0%, 0 B/s\n");
  const json = await terminal({ progress: "json" });
  json.terminal.status();
  expect(JSON.parse(json.written())).toEqual({ event: "status", text: "nothing is being transferred" });
});
