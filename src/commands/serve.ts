import { checkStore, serve as serveStore } from "../client/serve.ts";
import { SregistryError } from "../errors.ts";
import { defineVerb } from "./verb.ts";

interface Input {
  readonly listen: string;
  readonly publicRead: boolean;
  readonly tokenFile: string | undefined;
  readonly allowedHosts: readonly string[];
  readonly check: boolean;
  readonly repair: boolean;
}

export const serve = defineVerb<Input>({
  arguments: [],
  options: [
    { flags: "--listen <address>", description: "HOST:PORT or PORT; default 127.0.0.1:5000, port 0 takes a free one" },
    { flags: "--token-file <file>", description: "tokens that may write, one a line; needed beyond loopback" },
    { flags: "--public-read", description: "beyond loopback: anybody may read" },
    { flags: "--allow-host <name>", description: "a further name that this server is called by", repeatable: true },
    { flags: "--check", description: "look for what a crash or a full disk left, and say it; do not serve" },
    { flags: "--repair", description: "with --check: mend it" },
  ],
  examples: [
    { command: "sregistry serve", says: "the embedded registry at http://127.0.0.1:5000" },
    { command: "sregistry serve --listen 0.0.0.0:5000 --token-file tokens --public-read", says: "for a group" },
    { command: "sregistry serve --check --repair", says: "after a crash" },
  ],
  parse(_words, flags) {
    if (flags.on("repair") && !flags.on("check")) throw new SregistryError("USAGE", "--repair goes with --check");
    return {
      listen: flags.text("listen") ?? "127.0.0.1:5000",
      publicRead: flags.on("public-read"),
      tokenFile: flags.text("token-file"),
      allowedHosts: flags.texts("allow-host"),
      check: flags.on("check"),
      repair: flags.on("repair"),
    };
  },
  async run(input, context) {
    const [services, call] = await Promise.all([context.services(), context.call()]);
    if (input.check) {
      const report = await checkStore(services, { repair: input.repair });
      if (context.flags.json) await context.terminal.json({ ...report });
      else for (const problem of report.problems) await context.terminal.line(problem);
      if (report.remaining > 0) {
        throw new SregistryError("INTEGRITY", `${report.remaining} problems remain in ${services.store}`, {
          hint: "sregistry serve --check --repair",
        });
      }
      return;
    }
    await serveStore(services, input, call, async (url) => {
      if (context.flags.json) await context.terminal.json({ url, store: services.store });
      else await context.terminal.line(url);
      call.log.info(`serving ${services.store}; Ctrl-C stops`);
    });
  },
});
