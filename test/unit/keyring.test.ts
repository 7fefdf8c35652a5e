/** The keyring's process: real children that answer, hang, fail and talk nonsense. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { inspect, promisify } from "node:util";
import { build } from "esbuild";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Keyring, type KeyringAnswer, type KeyringOptions, openKeyring } from "../../src/credentials/keyring.ts";
import { Secret } from "../../src/secret.ts";
import { bundleScript } from "../support/bundle.ts";

/**
 * Keeps secrets in $STORE by account, and notes its words, its environment and its question in $NOTES. Some accounts
 * make it misbehave.
 */
const STAND_IN = `
const { existsSync, readFileSync, writeFileSync } = require("node:fs");
const { spawn } = require("node:child_process");
const text = readFileSync(0, "utf8");
const { action, service, account, secret } = JSON.parse(text);
writeFileSync(process.env.NOTES, JSON.stringify({ words: process.argv.slice(2), pid: process.pid, environment: Object.keys(process.env), service }));
const kept = existsSync(process.env.STORE) ? JSON.parse(readFileSync(process.env.STORE, "utf8")) : {};
const say = (answer) => process.stdout.write(typeof answer === "string" ? answer : JSON.stringify(answer));
switch (account) {
  case "hang": setInterval(() => {}, 1000); break;
  case "hang-with-child":
    spawn(process.execPath, ["-e", "setTimeout(() => {}, 20000)"], { stdio: "inherit" });
    break;
  case "fail": process.exitCode = 3; break;
  case "fail-after-answer": say({ secret: "hunter2" }); process.exitCode = 1; break;
  case "kill": process.kill(process.pid, "SIGTERM"); setInterval(() => {}, 1000); break;
  case "locked": say({ error: "the keyring is locked" }); break;
  case "nonsense": say("Secret: hunter2-in-the-clear"); break;
  case "half": say('{"secret": "hunter2-in-the-clear'); break;
  case "list": say("[]"); break;
  case "silent": break;
  case "number": say({ secret: 12345678 }); break;
  case "null": say({ secret: null }); break;
  default:
    if (action === "get") say({ secret: kept[account] });
    else {
      if (action === "set") kept[account] = secret; else delete kept[account];
      writeFileSync(process.env.STORE, JSON.stringify(kept));
      say({});
    }
}
`;

const run = promisify(execFile);

let folder: string;
let script: string;
let notes: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "sregistry-keyring-"));
  script = join(folder, "stand-in.cjs");
  notes = join(folder, "notes.json");
  await writeFile(script, STAND_IN);
});
afterAll(() => rm(folder, { recursive: true, force: true }));
beforeEach(() => rm(join(folder, "store.json"), { force: true }));

function keyring(options: Partial<KeyringOptions> = {}): Keyring {
  const env = { STORE: join(folder, "store.json"), NOTES: notes, EMPTY: undefined };
  return openKeyring({ env, command: [process.execPath, script], ...options });
}

/** With its secret in the clear. */
function shown(answer: KeyringAnswer): string {
  return answer.available ? `secret: ${answer.secret?.reveal() ?? "none"}` : `not available: ${answer.reason}`;
}

async function noted(): Promise<Readonly<Record<string, unknown>>> {
  return JSON.parse(await readFile(notes, "utf8"));
}

function isAlive(pid: unknown): boolean {
  try {
    return process.kill(Number(pid), 0);
  } catch {
    return false;
  }
}

describe("a keyring that answers", () => {
  it("keeps a secret, gives it back and forgets it", async () => {
    const ring = keyring();
    const account = "https://library.example.org";
    expect(shown(await ring.get(account))).toBe("secret: none");
    expect(shown(await ring.set(account, new Secret('eyJ."\n§ 日本')))).toBe("secret: none");
    expect(shown(await ring.get(account))).toBe('secret: eyJ."\n§ 日本');
    expect(shown(await ring.get("https://other.example.org"))).toBe("secret: none");
    expect(shown(await ring.delete(account))).toBe("secret: none");
    expect(shown(await ring.get(account))).toBe("secret: none");
  });

  it("is asked on its standard input alone: other users see the words and the environment of a process", async () => {
    await keyring().set("someone", new Secret("hunter2-hunter2"));
    const seen = await noted();
    expect(seen).toMatchObject({ words: [], service: "sregistry" });
    expect(JSON.stringify(seen)).not.toContain("hunter2");
    expect(seen["environment"]).not.toContain("EMPTY");
  });

  it("gives a secret that does not print", async () => {
    await keyring().set("someone", new Secret("hunter2-hunter2"));
    const answer = await keyring().get("someone");
    expect(shown(answer)).toBe("secret: hunter2-hunter2");
    expect(`${inspect(answer)} ${JSON.stringify(answer)}`).not.toContain("hunter2");
  });

  it("has none for null", async () => {
    expect(shown(await keyring().get("null"))).toBe("secret: none");
  });
});

describe("a keyring that does not answer", () => {
  it("is ended after the patience: without a desktop nobody ever unlocks it", async () => {
    expect(shown(await keyring({ patience: 700 }).get("hang"))).toBe("not available: it did not answer within 0.7 s");
    const { pid } = await noted();
    await expect.poll(() => isAlive(pid)).toBe(false);
  });

  it("does not keep us from ending by a program that it started", async () => {
    const program = join(folder, "asks.mjs");
    await bundleScript(
      `import { openKeyring } from "./src/credentials/keyring.ts";
       const [script] = process.argv.slice(2);
       const ring = openKeyring({ env: process.env, command: [process.execPath, script], patience: 700 });
       console.log(JSON.stringify(await ring.get("hang-with-child")));`,
      program,
    );
    const env = { STORE: join(folder, "store.json"), NOTES: notes };
    const { stdout } = await run(process.execPath, [program, script], { env, timeout: 10_000 });
    expect(JSON.parse(stdout)).toEqual({ available: false, reason: "it did not answer within 0.7 s" });
  });

  it.each([
    ["fail", "its process ended with 3"],
    ["fail-after-answer", "its process ended with 1"],
    ["kill", "its process ended with SIGTERM"],
    ["locked", "the keyring is locked"],
    ["nonsense", "its answer makes no sense"],
    ["half", "its answer makes no sense"],
    ["list", "its answer makes no sense"],
    ["silent", "its answer makes no sense"],
    ["number", "its answer makes no sense"],
  ])("says why, and nothing of what it said: %s", async (account, reason) => {
    expect(await keyring().get(account)).toEqual({ available: false, reason });
  });

  it("is not available when the program is missing, or dies before it has read a long question", async () => {
    const missing = join(folder, "missing");
    expect(await keyring({ command: [missing] }).get("someone")).toEqual({
      available: false,
      reason: `spawn ${missing} ENOENT`,
    });
    const deaf = keyring({ command: [process.execPath, "-e", "process.exit(5)"] });
    expect(await deaf.set("someone", new Secret("x".repeat(1024 * 1024)))).toEqual({
      available: false,
      reason: "its process ended with 5",
    });
  });
});

describe("our own process", () => {
  it("says in one line that the optional package is not there", async () => {
    const bundled = join(folder, "keyring.mjs");
    const entryPoints = [resolve(import.meta.dirname, "../../src/keyring.ts")];
    const external = ["@napi-rs/keyring"];
    await build({ entryPoints, external, bundle: true, platform: "node", format: "esm", outfile: bundled });
    const ring = keyring({ env: {}, command: [process.execPath, bundled], patience: 10_000 });
    expect(await ring.get("https://library.example.org")).toEqual({
      available: false,
      reason: expect.stringMatching(/^Cannot find package '@napi-rs\/keyring'.*$/),
    });
  });
});
