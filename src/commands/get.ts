import { get as getImage } from "../client/get.ts";
import { parseReference } from "../reference/parse.ts";
import type { Reference } from "../reference/reference.ts";
import { GET } from "./schemas/get.ts";
import { ARCHITECTURE_OPTION } from "./shared.ts";
import { defineVerb, requireWord } from "./verb.ts";

interface Input {
  readonly reference: Reference;
  readonly architecture?: string;
}

export const get = defineVerb<Input>({
  arguments: [{ name: "<reference>", description: "the image" }],
  options: [ARCHITECTURE_OPTION],
  examples: [
    {
      command: 'image=$(sregistry get lab/tool:1.0) && singularity exec "$image" tool',
      says: "fetched once, then from the cache",
    },
    { command: "sregistry get --offline lab/tool:1.0", says: "on a node without internet" },
  ],
  answers: [GET],
  parse(words, flags) {
    const architecture = flags.text("arch");
    const reference = parseReference(requireWord(words, 0, "the image"));
    return { reference, ...(architecture === undefined ? {} : { architecture }) };
  },
  async run(input, context) {
    const [services, call] = await Promise.all([context.services(), context.call()]);
    const outcome = await getImage(services, input, call);
    if (context.flags.structured) return context.terminal.document({ ...outcome });
    return context.terminal.line(outcome.path);
  },
});
