import { logout as logoutFrom } from "../client/login.ts";
import type { Host } from "../reference/reference.ts";
import { hostOf } from "./login.ts";
import { defineVerb, requireWord } from "./verb.ts";

export const logout = defineVerb<{ readonly host: Host }>({
  arguments: [{ name: "<host>", description: "the registry's host, with its port" }],
  options: [],
  examples: [{ command: "sregistry logout ghcr.io", says: "forget the login" }],
  parse: (words) => ({ host: hostOf(requireWord(words, 0, "the host")) }),
  async run({ host }, context) {
    const [services, call] = await Promise.all([context.services(), context.call()]);
    const removed = await logoutFrom(services, host, call);
    call.log.info(`Removed the login for ${host} from ${removed.path}`);
    if (context.flags.json) await context.terminal.json({ host, removed: removed.path });
  },
});
