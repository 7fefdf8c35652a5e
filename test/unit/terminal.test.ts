import { PassThrough, Writable } from "node:stream";
import { describe, expect, it, vi } from "vitest";
import { SregistryError } from "../../src/errors.ts";
import { Secret } from "../../src/secret.ts";
import { createOutput } from "../../src/terminal/output.ts";
import { createProgress } from "../../src/terminal/progress.ts";
import { createPrompt } from "../../src/terminal/prompt.ts";
import { colourAllowed, plainStyle } from "../../src/terminal/style.ts";
import { alignedTable, tabSeparatedLine } from "../../src/terminal/table.ts";
import { createTerminal } from "../../src/terminal/terminal.ts";
import { formatDuration, formatPart, formatRate, formatSize, shortRate } from "../../src/units.ts";
import { collector, OPTIONS, rowsOf, terminal } from "../support/terminal.ts";

it("a terminal that does not know its size is not taken for one without any room", () => {
  const [unsized, sized] = [
    createOutput(Object.assign(collector(true), { columns: 0 })),
    createOutput(collector(true)),
  ];
  expect([unsized.columns, unsized.room, sized.room]).toEqual([80, 80, 80]);
  expect(createOutput(Object.assign(collector(true), { columns: 132 })).room).toBe(132);
});

describe("numbers for people", () => {
  it.each([
    [0, "0 B"],
    [1023, "1023 B"],
    [40960, "40.0 KiB"],
    [8.09 * 1024 ** 3, "8.1 GiB"],
  ])("%d bytes are %s", (bytes, text) => expect(formatSize(bytes)).toBe(text));

  it.each([
    [0, "0s"],
    [61, "1m01s"],
    [7620, "2h07m"],
  ])("%d seconds are %s", (seconds, text) => expect(formatDuration(seconds)).toBe(text));

  it.each([
    [0, 4 * 1024 ** 3, "0.0/4.0 GiB"],
    [17 * 1024 ** 2, 200 * 1024 ** 2, "17.0/200 MiB"],
    [1023.9 * 1024 ** 2, 1023.9 * 1024 ** 2, "1023/1023 MiB"],
    [5, 512, "5/512 B"],
  ])("%d of %d bytes are %s", (bytes, total, text) => expect(formatPart(bytes, total)).toBe(text));

  it.each([
    [99.9 * 1024, "99.9 KiB/s"],
    [853.4 * 1024 ** 2, "853 MiB/s"],
    [0, "0 B/s"],
  ])("%d bytes a second are %s", (bytes, text) => expect(shortRate(bytes)).toBe(text));

  it("rates are per second", () => expect(formatRate(1536)).toBe("1.5 KiB/s"));
});

describe("tables", () => {
  it("align for people", () => {
    expect(
      alignedTable(
        ["KEY", "VALUE"],
        [
          ["a", "1"],
          ["longer", "two words"],
        ],
      ),
    ).toBe("KEY     VALUE\na       1\nlonger  two words\n");
  });

  it("are TSV without header for scripts, one line a row whatever a cell holds", async () => {
    expect(tabSeparatedLine(["a\tb", "c\nd"])).toBe("a\\u0009b\tc\\u000ad\n");
    const { terminal: made, stdout } = await terminal();
    await made.table(["KEY", "VALUE"], rowsOf(["a", "1"], ["b", "2"]));
    expect(stdout.text).toBe("a\t1\nb\t2\n");
  });
});

describe("the two streams", () => {
  it("keep the answer apart from the story", async () => {
    const { terminal: made, stdout, stderr } = await terminal();
    made.log.info("working");
    await made.line("/tmp/x.sif");
    expect({ stdout: stdout.text, stderr: stderr.text }).toEqual({ stdout: "/tmp/x.sif\n", stderr: "working\n" });
  });

  it("tell only warnings when quiet, and requests only with debug", async () => {
    const quiet = await terminal({ quiet: true });
    quiet.terminal.log.info("no");
    quiet.terminal.log.verbose("no");
    quiet.terminal.log.warn("careful");
    expect(quiet.stderr.text).toBe("warning: careful\n");
    const debug = await terminal({ debug: true });
    debug.terminal.log.verbose("yes");
    debug.terminal.log.debug("GET /");
    expect(debug.stderr.text).toBe("yes\ndebug: GET /\n");
  });

  it("show no secret in the story, whoever composed the text, and leave the answer as it is", async () => {
    const secret = new Secret("hunter2-and-more");
    const { terminal: made, stdout, stderr } = await terminal({ debug: true });
    made.log.debug(`Authorization: Bearer ${secret.reveal()}`);
    made.log.info(`token ${secret}`);
    await made.line("/data/hunter2-and-more.sif");
    expect(stdout.text + stderr.text).toBe("/data/hunter2-and-more.sif\ndebug: Authorization: Bearer ***\ntoken ***\n");
  });

  it("show no secret in JSON either, where its quotes are escaped", async () => {
    const secret = new Secret('pass"word\\1');
    const failure = new SregistryError("REFUSED", `the server said ${secret.reveal()}`, { hint: secret.reveal() });
    const { terminal: made, stderr } = await terminal({ progress: "json" });
    made.log.info(`the server said ${secret.reveal()}`);
    await made.failure(failure);
    expect(
      stderr.text
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toEqual([
      { event: "message", level: "info", text: "the server said ***" },
      { error: { code: "REFUSED", exit: 8, message: "the server said ***", hint: "***" } },
    ]);
  });

  it("put an error's code, exit status and hint into JSON", async () => {
    const { terminal: made, stderr } = await terminal({ json: true });
    await made.failure(new SregistryError("NOT_FOUND", "no such tag", { hint: "sregistry list" }));
    expect(JSON.parse(stderr.text)).toEqual({
      error: { code: "NOT_FOUND", exit: 3, message: "no such tag", hint: "sregistry list" },
    });
  });

  it("give an error one line and a hint, and no stack trace", async () => {
    const { terminal: made, stderr } = await terminal();
    await made.failure(
      new SregistryError("NOT_FOUND", "no such tag", { hint: "sregistry list", cause: new Error("x") }),
    );
    expect(stderr.text).toBe("error: no such tag\nhint: sregistry list\n");
  });

  it("end quietly when the reader has gone (sregistry list | head)", async () => {
    const stream = new Writable({
      write(_chunk, _encoding, done) {
        done(Object.assign(new Error("write EPIPE"), { code: "EPIPE" }));
      },
    });
    const output = createOutput(stream);
    await output.write("one\n");
    await output.flush();
    await output.write("two\n");
    expect(output.closed).toBe(true);
  });

  it("refuse to ask where nobody can answer, and name the flag", async () => {
    await expect((await terminal()).terminal.prompt.confirm("Delete a:1?", "--force")).rejects.toMatchObject({
      code: "USAGE",
      hint: "use --force",
    });
  });
});

describe("colour", () => {
  it.each([
    ["a terminal", { isTerminal: true, wanted: true, env: {} }, true],
    ["a pipe", { isTerminal: false, wanted: true, env: {} }, false],
    ["--no-color", { isTerminal: true, wanted: false, env: {} }, false],
    ["NO_COLOR", { isTerminal: true, wanted: true, env: { NO_COLOR: "1" } }, false],
    ["an empty NO_COLOR", { isTerminal: true, wanted: true, env: { NO_COLOR: "" } }, true],
    ["TERM=dumb", { isTerminal: true, wanted: true, env: { TERM: "dumb" } }, false],
  ])("%s", (_name, question, allowed) => expect(colourAllowed(question)).toBe(allowed));
});

/** Neither counts where nothing is drawn. */
const LOOK = { style: plainStyle, unicode: false };

describe("progress", () => {
  function clock() {
    const now = { ms: 0 };
    return { now, read: () => now.ms };
  }

  it("is a line at the start, each 10 % and one at the end in a log", async () => {
    const { now, read } = clock();
    const stream = collector();
    const progress = await createProgress({ mode: "plain", out: createOutput(stream), clock: read, ...LOOK });
    const task = progress.start("tool.sif", 1000);
    for (let offset = 0; offset <= 1000; offset += 50) {
      now.ms += 50;
      task.at(offset);
    }
    task.done();
    const lines = stream.text.trim().split("\n");
    expect(lines.length).toBe(11);
    expect(lines[0]).toBe("tool.sif: 1000 B");
    expect(lines[1]).toMatch(/^tool\.sif: 10% /);
    expect(lines.at(-1)).toBe("tool.sif: done, 1000 B in 1s (952 B/s)");
  });

  it("says after 30 s that it still goes on", async () => {
    const { now, read } = clock();
    const stream = collector();
    const progress = await createProgress({ mode: "plain", out: createOutput(stream), clock: read, ...LOOK });
    const task = progress.start("tool.sif", 1_000_000);
    now.ms = 31_000;
    task.at(310);
    expect(stream.text).toBe("tool.sif: 976.6 KiB\ntool.sif: 0% 10 B/s\n");
  });

  it("is one JSON object a line, with absolute offsets", async () => {
    const stream = collector();
    const progress = await createProgress({ mode: "json", out: createOutput(stream), clock: () => 0, ...LOOK });
    const task = progress.start("tool.sif", 10, "lab/tool:1");
    task.state("resuming at 4 B");
    task.at(4);
    task.at(10);
    task.done();
    expect(
      stream.text
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line)),
    ).toEqual([
      { event: "start", name: "tool.sif", image: "lab/tool:1", offset: 0, total: 10 },
      { event: "state", name: "tool.sif", image: "lab/tool:1", offset: 0, total: 10, state: "resuming at 4 B" },
      { event: "progress", name: "tool.sif", image: "lab/tool:1", offset: 4, total: 10 },
      { event: "done", name: "tool.sif", image: "lab/tool:1", offset: 10, total: 10 },
    ]);
  });
});

describe("a table without rows", () => {
  it.each([
    { tty: true, told: "nothing is there\n" },
    { tty: false, told: "" },
  ])("is told to people, and leaves a pipe alone: $tty", async ({ tty, told }) => {
    const made = await terminal({}, tty);
    await made.terminal.table(["NAME"], rowsOf(), "nothing is there");
    expect([made.stdout.text, made.stderr.text]).toEqual(["", told]);
  });

  it.each([
    { env: { LC_ALL: "C.UTF-8" }, shown: "NAME\n██▌▏ a…z\n" },
    { env: { LC_ALL: "C", LANG: "en_GB.UTF-8" }, shown: "NAME\n###- a~z\n" },
  ])("has marks that the terminal can show: $env", async ({ env, shown }) => {
    const made = await terminal({ env, colour: false }, true);
    await made.terminal.table(["NAME"], rowsOf(["██▌▏ a…z"]));
    expect(made.stdout.text).toBe(shown);
  });

  it("is no matter where there are some", async () => {
    const made = await terminal({}, true);
    await made.terminal.table(["NAME"], rowsOf(["lab/tool"]), "nothing is there");
    expect(made.stderr.text).toBe("");
  });
});

describe("a question that nobody can answer", () => {
  it.each([
    { env: {}, input: false, stdin: true, why: "--no-input says so" },
    { env: { CI: "true" }, input: true, stdin: true, why: "the variable CI is set" },
    { env: {}, input: true, stdin: false, why: "standard input is no terminal" },
    { env: {}, input: true, stdin: true, why: "standard error is no terminal" },
  ])("is refused with the reason: $why", async ({ env, input, stdin, why }) => {
    const answers = Object.assign(new PassThrough(), { isTTY: stdin });
    const [stdout, stderr] = [collector(true), collector(false)];
    const made = await createTerminal({ stdin: answers, stdout, stderr }, { ...OPTIONS, env, input });
    await expect(made.prompt.confirm("Delete a:1?", "--force")).rejects.toMatchObject({
      code: "USAGE",
      message: `cannot ask "Delete a:1?": ${why}`,
      hint: "use --force",
    });
  });
});

describe("a question with yes or no", () => {
  it("does not keep the refused answer in the line", async () => {
    const stderr = collector(true);
    // Like process.stderr, which no pipe ends.
    Object.assign(stderr, { end: () => stderr });
    const input = Object.assign(new PassThrough(), { isTTY: true });
    const { signal } = new AbortController();
    const answer = createPrompt({ unasked: undefined, input, output: stderr, signal }).confirm(
      "Delete a:1?",
      "--force",
    );
    setTimeout(() => input.write("maybe\r"), 100);
    await vi.waitFor(() => expect(stderr.text).toContain("Please answer yes or no\n"));
    setTimeout(() => input.write("no\r"), 100);
    expect(await answer).toBe(false);
    expect(stderr.text).not.toContain("maybeno");
  });
});

describe("a question", () => {
  function asked() {
    const stderr = collector(true);
    Object.assign(stderr, { end: () => stderr });
    const input = Object.assign(new PassThrough(), { isTTY: true });
    const stop = new AbortController();
    const prompt = createPrompt({ unasked: undefined, input, output: stderr, signal: stop.signal });
    const shown = (text: string) => vi.waitFor(() => expect(stderr.text).toContain(text));
    return { stderr, input, stop, prompt, shown };
  }

  it("does not show a password", async () => {
    const { stderr, input, prompt, shown } = asked();
    const answer = prompt.password("Password of vanessa:", "--password-stdin");
    await shown("Password of vanessa:");
    input.write("s3cret\r");
    expect(await answer).toBe("s3cret");
    expect(stderr.text).not.toContain("s3cret");
  });

  it("is ended by Ctrl-C, in a line of its own", async () => {
    const { stderr, input, prompt, shown } = asked();
    const answer = prompt.text("User name:", "--username");
    await shown("User name:");
    input.write("\u0003");
    await expect(answer).rejects.toMatchObject({ code: "INTERRUPTED", exitStatus: 130 });
    expect(stderr.text).toMatch(/\n(\u001b\[\?25h)?$/);
  });

  it("does not outlive what stops the program, as SIGTERM and --timeout do", async () => {
    const { stderr, input, stop, prompt, shown } = asked();
    const answer = prompt.text("User name:", "--username");
    await shown("User name:");
    stop.abort(new SregistryError("TERMINATED", "terminated"));
    await expect(answer).rejects.toMatchObject({ code: "TERMINATED" });
    expect(stderr.text).toMatch(/\n(\u001b\[\?25h)?$/);
    // Nothing waits for an answer any more.
    expect(input.listenerCount("keypress")).toBe(0);
  });
});
