import { login as loginTo } from "../client/login.ts";
import { SregistryError } from "../errors.ts";
import { parseHost } from "../reference/host.ts";
import type { Host } from "../reference/reference.ts";
import { Secret } from "../secret.ts";
import { defineVerb, requireWord } from "./verb.ts";

interface Input {
  readonly host: Host;
  readonly username: string | undefined;
  readonly passwordStdin: boolean;
}

export const login = defineVerb<Input>({
  arguments: [{ name: "<host>", description: "the registry's host, with its port" }],
  options: [
    { flags: "-u, --username <name>", description: "user name" },
    { flags: "--password-stdin", description: "read the password or token from standard input", noEnv: true },
    {
      flags: "-p, --password <secret>",
      description: "refused: everybody on this machine could read it",
      hidden: true,
      noEnv: true,
    },
  ],
  examples: [
    { command: "sregistry login ghcr.io", says: "asks for name and password" },
    { command: "echo $TOKEN | sregistry login ghcr.io -u me --password-stdin", says: "in a script" },
  ],
  parse(words, flags) {
    const host = hostOf(requireWord(words, 0, "the host"));
    if (flags.text("password") !== undefined) {
      throw new SregistryError(
        "USAGE",
        "--password is refused: a command line is visible to every user of this machine",
        {
          hint: `use --password-stdin: ... | sregistry login ${host} --username NAME --password-stdin`,
        },
      );
    }
    return { host, username: flags.text("username"), passwordStdin: flags.on("password-stdin") };
  },
  async run({ host, username, passwordStdin }, context) {
    const { prompt } = context.terminal;
    if (passwordStdin && username === undefined) {
      throw new SregistryError("USAGE", "--password-stdin needs a --username");
    }
    const user = username ?? (await prompt.text(`User name at ${host}:`, "--username"));
    const password = passwordStdin
      ? (await context.readInput()).replace(/\r?\n$/, "")
      : await prompt.password(`Password of ${user} at ${host}:`, "--password-stdin");
    const [services, call] = await Promise.all([context.services(), context.call()]);
    const stored = await loginTo(services, { host, username: user, password: new Secret(password) }, call);
    call.log.info(`Login succeeded; stored in ${stored.path}`);
    if (context.flags.json) await context.terminal.json({ host, username: user, stored: stored.path });
  },
});

/** `oras://ghcr.io`, `docker://ghcr.io` and `https://ghcr.io/` are understood as their host. */
export function hostOf(word: string): Host {
  return parseHost(word.replace(/^(?:oras|docker|https?):\/\//, "").replace(/\/+$/, ""));
}
