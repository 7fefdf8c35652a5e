import type { Call } from "../call.ts";
import { checkEmbedded, serve as serveStore } from "../client/serve.ts";
import type { Services } from "../client/services.ts";
import type { Context } from "../context.ts";
import { SregistryError } from "../errors.ts";
import { defineVerb } from "./verb.ts";

interface Input {
  readonly listen: string;
  readonly publicRead: boolean;
  readonly tokenFile: string | undefined;
  readonly allowedHosts: readonly string[];
  readonly check: boolean;
  readonly dryRun: boolean;
}

export const serve = defineVerb<Input>({
  arguments: [],
  options: [
    { flags: "--listen <address>", description: "HOST:PORT or PORT; default 127.0.0.1:5000, port 0 takes a free one" },
    { flags: "--token-file <file>", description: "tokens that may write, one a line; needed beyond loopback" },
    { flags: "--public-read", description: "beyond loopback: anybody may read" },
    { flags: "--allow-host <name>", description: "a further name that this server is called by", repeatable: true },
    { flags: "--check", description: "find and mend what a crash or a full disk left; do not serve", noEnv: true },
    { flags: "--dry-run", description: "with --check: only say it", noEnv: true },
  ],
  examples: [
    { command: "sregistry serve", says: "the embedded registry at http://127.0.0.1:5000" },
    { command: "sregistry serve --listen 0.0.0.0:5000 --token-file tokens --public-read", says: "for a group" },
    { command: "sregistry serve --check", says: "after a crash" },
  ],
  parse(_words, flags) {
    if (flags.on("dry-run") && !flags.on("check")) throw new SregistryError("USAGE", "--dry-run goes with --check");
    return {
      listen: flags.text("listen") ?? "127.0.0.1:5000",
      publicRead: flags.on("public-read"),
      tokenFile: flags.text("token-file"),
      allowedHosts: flags.texts("allow-host"),
      check: flags.on("check"),
      dryRun: flags.on("dry-run"),
    };
  },
  async run(input, context) {
    const [services, call] = await Promise.all([context.services(), context.call()]);
    if (input.check) return check(services, input.dryRun, context, call);
    await serveStore(services, input, call, async (url) => {
      if (context.flags.json) await context.terminal.json({ url, store: services.store });
      else await context.terminal.line(url);
      call.log.info(`serving ${services.store}; Ctrl-C stops`);
    });
  },
});

async function check(services: Services, dryRun: boolean, { flags, terminal }: Context, call: Call): Promise<void> {
  const report = await checkEmbedded(services, !dryRun, call);
  if (flags.json) await terminal.json({ ...report });
  else for (const problem of report.problems) await terminal.line(problem.message);
  call.log.info(report.summary);
  if (report.remaining === 0) return;
  throw new SregistryError("INTEGRITY", `${report.remaining} problems remain in ${services.store}`, {
    hint: "sregistry serve --check",
  });
}
