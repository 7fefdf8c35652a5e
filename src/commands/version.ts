import { defineVerb } from "./verb.ts";

export const version = defineVerb({
  arguments: [],
  options: [],
  examples: [
    { command: "sregistry version", says: "the number alone" },
    { command: "sregistry version --json", says: "with Node's and the platform's" },
  ],
  parse: () => undefined,
  async run(_input, context) {
    if (!context.flags.json) return context.terminal.line(context.version);
    return context.terminal.json({ version: context.version, ...context.platform });
  },
});
