import { loginHost, login as loginTo, passwordOf } from "../client/login.ts";
import { isRemote, nearRemote } from "../client/remotes.ts";
import type { Context } from "../context.ts";
import { SregistryError } from "../errors.ts";
import { looksLikeHost } from "../reference/host.ts";
import type { Host } from "../reference/reference.ts";
import { LOGIN } from "./schemas/login.ts";
import { loginToRemote, SECRET, TOKEN_OPTIONS, type TokenInput, tokenInput } from "./token-login.ts";
import { defineVerb } from "./verb.ts";

interface Input {
  /** A remote's name or a registry's host; undefined: the active remote. */
  readonly where: string | undefined;
  readonly username: string | undefined;
  readonly passwordStdin: boolean;
  readonly token: TokenInput;
}

export const login = defineVerb<Input>({
  arguments: [
    {
      name: "[where]",
      description: "a remote's name, or a registry's host; default the active remote",
      completes: "login",
    },
  ],
  options: [
    { flags: "-u, --username <name>", description: "user name at a registry's host" },
    { flags: "--password-stdin", description: "read the password or token from standard input", noEnv: SECRET },
    ...TOKEN_OPTIONS,
    {
      flags: "-p, --password <secret>",
      description: "refused: everybody on this machine could read it",
      hidden: true,
      noEnv: SECRET,
    },
  ],
  examples: [
    { command: "sregistry login ghcr.io", says: "asks for name and password" },
    { command: 'echo "$TOKEN" | sregistry login ghcr.io -u me --password-stdin', says: "in a script" },
    { command: "sregistry login DinosaurCloud --token-file token", says: "a remote of remote.yaml" },
  ],
  answers: [LOGIN],
  parse(words, flags) {
    const [where] = words;
    if (flags.text("password") !== undefined) {
      throw new SregistryError(
        "USAGE",
        "--password is refused: a command line is visible to every user of this machine",
        {
          hint: `use --password-stdin: ... | sregistry login ${where ?? "HOST"} --username NAME --password-stdin`,
        },
      );
    }
    const token = tokenInput(flags);
    if (token.stdin && flags.on("password-stdin")) {
      throw new SregistryError("USAGE", "--token-stdin and --password-stdin cannot both read standard input");
    }
    return { where, username: flags.text("username"), passwordStdin: flags.on("password-stdin"), token };
  },
  async run(input, context) {
    const { where } = input;
    const services = await context.services();
    if (where === undefined || (await isRemote(services, where))) {
      const kept = await loginToRemote(where, input.token, context);
      return context.flags.structured ? context.terminal.document({ ...kept }) : undefined;
    }
    if (!looksLikeHost(where) && !where.includes("://") && services.config.remotes?.has(where) !== true) {
      const near = await nearRemote(services, where);
      const remotes = near === undefined ? "sregistry remote list" : `did you mean ${near}? sregistry remote list`;
      throw new SregistryError("NOT_FOUND", `${where} is not a remote, and not written like a host`, {
        hint: `${remotes}; for a host of one word: sregistry login oras://${where}`,
      });
    }
    if (input.token.stdin || input.token.file !== undefined) {
      throw new SregistryError(
        "USAGE",
        `a token alone is for the library of a remote, and ${JSON.stringify(where)} is none`,
        {
          hint: `sregistry login ${where} --username NAME --password-stdin takes a token for the password`,
        },
      );
    }
    return loginToHost(loginHost(services, where), input, context);
  },
});

async function loginToHost(host: Host, { username, passwordStdin }: Input, context: Context): Promise<void> {
  const { prompt } = context.terminal;
  if (passwordStdin && username === undefined) {
    throw new SregistryError("USAGE", "--password-stdin needs a --username");
  }
  const user = username ?? (await prompt.text(`User name at ${host}:`, "--username"));
  const password = passwordStdin
    ? (await context.readInput()).replace(/\r?\n$/, "")
    : await prompt.password(`Password of ${user} at ${host}:`, "--password-stdin");
  const [services, call] = await Promise.all([context.services(), context.call()]);
  const stored = await loginTo(services, { host, username: user, password: passwordOf(password) }, call);
  const { owner } = stored;
  if (owner !== undefined && owner !== user) {
    call.log.warn(
      `${host} takes this token as ${owner}'s, whatever the user name: you are ${owner} there, not ${user}`,
    );
  }
  call.log.info(`Login succeeded; stored in ${stored.path}`);
  if (context.flags.structured) await context.terminal.document({ host, username: user, stored: stored.path });
}
