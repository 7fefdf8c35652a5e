import { createCollection } from "../client/collection.ts";
import { endpointPattern } from "../client/search.ts";
import type { Pattern } from "../reference/pattern.ts";
import { unknownAction } from "./actions.ts";
import { COLLECTION_CREATE } from "./schemas/collection.ts";
import { type ActionSpec, defineVerb, requireWord } from "./verb.ts";

interface Input {
  readonly name: string;
  readonly where: Pattern;
  readonly private: boolean;
}

const ACTIONS: readonly ActionSpec[] = [
  {
    name: "create",
    usage: "NAME [WHERE]",
    description: "make a collection, at the default registry or library://HOST",
  },
];

export const collection = defineVerb<Input>({
  arguments: [
    {
      name: "<action>",
      description: "create",
      actions: ACTIONS,
    },
    { name: "<name>", description: "the collection's name" },
    { name: "[where]", description: "an endpoint: library://, library://HOST; default the default registry" },
  ],
  options: [
    {
      flags: "--private",
      description: "only its owner and contributors see it",
      variable: "SREGISTRY_COLLECTION_PRIVATE",
    },
  ],
  examples: [
    { command: "sregistry collection create dinosaur", says: "at the default registry" },
    { command: "sregistry collection create lab --private", says: "one that others do not see" },
  ],
  answers: [COLLECTION_CREATE],
  parse(words, flags) {
    const action = requireWord(words, 0, "what to do with a collection");
    if (action !== "create") throw unknownAction("collection", action, ACTIONS);
    const name = requireWord(words, 1, "the collection's name");
    return { name, where: endpointPattern(words[2]), private: flags.on("private") };
  },
  async run(input, context) {
    const [services, call] = await Promise.all([context.services(), context.call()]);
    const made = await createCollection(services, input, call);
    if (made.name !== input.name) call.log.info(`the registry calls it ${made.name}`);
    if (context.flags.structured) return context.terminal.document({ collection: made });
    return context.terminal.line(made.name);
  },
});
