import { logoutRemote } from "../client/accounts.ts";
import { loginHost, logout as logoutFrom } from "../client/login.ts";
import { isRemote, nearRemote } from "../client/remotes.ts";
import { enriched, isCode } from "../errors.ts";
import { LOGOUT } from "./schemas/login.ts";
import { defineVerb } from "./verb.ts";

export const logout = defineVerb<{ readonly where: string | undefined }>({
  arguments: [
    {
      name: "[where]",
      description: "a remote's name, or a registry's host; default the active remote",
      completes: "login",
    },
  ],
  options: [],
  examples: [
    { command: "sregistry logout ghcr.io", says: "forget the login" },
    { command: "sregistry logout DinosaurCloud", says: "forget a remote's token" },
  ],
  answers: [LOGOUT],
  parse: (words) => ({ where: words[0] }),
  async run({ where }, context) {
    const [services, call] = await Promise.all([context.services(), context.call()]);
    if (where === undefined || (await isRemote(services, where))) {
      const { remote, path } = await logoutRemote(services, where, call);
      call.log.info("Logout succeeded");
      return context.flags.structured ? context.terminal.document({ remote, removed: path }) : undefined;
    }
    const host = loginHost(services, where);
    const removed = await logoutFrom(services, host, call).catch(async (error: unknown) => {
      const near = await nearRemote(services, where);
      throw near !== undefined && isCode(error, "NOT_FOUND")
        ? enriched(error, { hint: `did you mean sregistry logout ${near}?` })
        : error;
    });
    call.log.info(`Removed the login for ${host} from ${removed.path}`);
    return context.flags.structured ? context.terminal.document({ host, removed: removed.path }) : undefined;
  },
});
