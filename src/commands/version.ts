import { VERSION } from "./schemas/version.ts";
import { defineVerb } from "./verb.ts";

export const version = defineVerb({
  arguments: [],
  options: [],
  examples: [
    { command: "sregistry version", says: "the number alone" },
    { command: "sregistry version --json", says: "with Node's and the platform's" },
  ],
  answers: [VERSION],
  parse: () => undefined,
  async run(_input, context) {
    if (!context.flags.structured) return context.terminal.line(context.version);
    return context.terminal.document({ version: context.version, ...context.platform });
  },
});
