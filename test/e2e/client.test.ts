/** The built programming interface in a process of its own. */
import { spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { FIXTURES, finished, type Run, User } from "../support/program.ts";

const INDEX = pathToFileURL(resolve(import.meta.dirname, "../../dist/index.js")).href;

async function script(user: User, text: string): Promise<Run> {
  const file = user.path("script.mjs");
  await writeFile(file, text);
  return finished(spawn(process.execPath, [file], { cwd: user.home, env: { HOME: user.home } }));
}

describe("importing the package", () => {
  it("does nothing: no variable is read, no signal taken, no flag of V8 set, nothing kept open", async () => {
    await using user = await User.create();
    const run = await script(
      user,
      `
      import v8 from "node:v8";
      import { syncBuiltinESMExports } from "node:module";
      // Node 22 and 24 load their fetch with it, which asks for FORCE_COLOR and leaves two globals: theirs, not the package's.
      import "node:http";
      const seen = [];
      // NODE_* are Node's own questions, on the way to any module.
      const watched = (name) => typeof name === "string" && !/^NODE_|^WATCH_/.test(name);
      process.env = new Proxy(process.env, {
        get: (env, name) => (watched(name) && seen.push("env " + name), env[name]),
        has: (env, name) => (watched(name) && seen.push("env " + name), name in env),
        ownKeys: (env) => (seen.push("env"), Reflect.ownKeys(env)),
      });
      v8.setFlagsFromString = (flag) => seen.push("v8 " + flag);
      syncBuiltinESMExports();
      const events = () => process.eventNames().map((name) => [String(name), process.listenerCount(name)]);
      const globals = () => Reflect.ownKeys(globalThis).map(String);
      const before = { events: events(), globals: globals() };
      const { createClient } = await import(${JSON.stringify(INDEX)});
      const fresh = (now, then) => now.filter((one) => !then.some((old) => String(old) === String(one)));
      console.log(JSON.stringify({
        seen,
        events: fresh(events(), before.events),
        globals: fresh(globals(), before.globals),
        resources: process.getActiveResourcesInfo().filter((name) => /TCP|Timeout|Worker|Message|Signal|Process/.test(name)),
        type: typeof createClient,
      }));
      `,
    );
    expect(run.stderr).toBe("");
    expect(JSON.parse(run.stdout)).toEqual({ seen: [], events: [], globals: [], resources: [], type: "function" });
  });
});

describe("a program with a client", () => {
  it("may have any number of calls at a time, stopped by one signal, without a warning", async () => {
    await using user = await User.create();
    const run = await script(
      user,
      `
      import { createClient } from ${JSON.stringify(INDEX)};
      const client = await createClient();
      const { url } = await client.serve();
      const name = "oras://" + new URL(url).host + "/lab/tool:1";
      await client.push(${JSON.stringify(join(FIXTURES, "tiny.sif"))}, name);
      const twenty = Array.from({ length: 20 }, (_, index) => index);
      const { signal } = new AbortController();
      const pulls = await Promise.all(twenty.map((index) => client.pull(name, { output: index + ".sif", signal })));
      console.log(new Set(pulls.map(({ outcome }) => outcome)), new Set(pulls.map(({ path }) => path)).size);
      // Servers that nobody is at.
      const late = AbortSignal.timeout(100);
      const asked = twenty.map((index) => client.inspect("library://127.0.0.1:" + (index + 1) + "/a/b/c:1", { signal: late }));
      console.log(new Set((await Promise.allSettled(asked)).map(({ reason }) => reason?.name)));
      await client.close();
      `,
    );
    expect(run).toEqual({
      status: 0,
      stdout: "Set(1) { 'downloaded' } 20\nSet(1) { 'TimeoutError' }\n",
      stderr: "",
    });
  });

  it("ends by itself once the client is closed, whatever it was connected to", async () => {
    await using user = await User.create();
    await using other = await User.create();
    const served = await other.serve();
    const run = await script(
      user,
      `
      import { createClient } from ${JSON.stringify(INDEX)};
      const client = await createClient();
      const own = await client.serve();
      for (const host of [new URL(own.url).host, ${JSON.stringify(served.host)}]) {
        await client.push(${JSON.stringify(join(FIXTURES, "tiny.sif"))}, "oras://" + host + "/lab/tool:1");
        for await (const { name } of client.list("oras://" + host)) console.log(name.replace(host, "HOST"));
      }
      await client.close();
      // A socket that is closed is let go in the next turn.
      await new Promise((turn) => setImmediate(turn));
      console.log(process.getActiveResourcesInfo().filter((name) => /TCP|Worker|Message|Process/.test(name)));
      `,
    );
    await served.stop();
    expect(run).toEqual({ status: 0, stdout: "oras://HOST/lab/tool:1\noras://HOST/lab/tool:1\n[]\n", stderr: "" });
  });
});
