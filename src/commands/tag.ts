import { parseNewTag, tag as tagImage } from "../client/tag.ts";
import { SregistryError } from "../errors.ts";
import { parseReference } from "../reference/parse.ts";
import type { Reference, Tag } from "../reference/reference.ts";
import { shellWord } from "../shell-word.ts";
import { TAG } from "./schemas/tag.ts";
import { defineVerb, requireWord } from "./verb.ts";

interface Input {
  readonly reference: Reference;
  readonly tags: readonly Tag[];
}

export const tag = defineVerb<Input>({
  arguments: [
    { name: "<reference>", description: "an image that is there" },
    { name: "<new...>", description: "its new tags" },
  ],
  options: [],
  examples: [
    { command: "sregistry tag lab/tool:1.0.3 1.0 latest", says: "two more names for one image" },
    { command: "sregistry tag lab/tool@sha256:4f1e... rescued", says: "a name for an image without one" },
  ],
  answers: [TAG],
  parse(words) {
    const reference = parseReference(requireWord(words, 0, "the image to tag"));
    const tags = words.slice(1).map((text) => newTag(text, words[0] ?? ""));
    if (tags.length === 0) throw new SregistryError("USAGE", "the new tag is missing");
    return { reference, tags };
  },
  async run({ reference, tags }, context) {
    const [services, call] = await Promise.all([context.services(), context.call()]);
    const outcome = await tagImage(services, reference, tags, call);
    if (context.flags.structured) return context.terminal.document({ ...outcome });
    for (const name of outcome.references) await context.terminal.line(name);
    return undefined;
  },
});

/** Docker's `tag` takes a whole name for the second. */
function newTag(text: string, from: string): Tag {
  if (!text.includes("/")) return parseNewTag(text);
  throw new SregistryError("USAGE", `${JSON.stringify(text)} is a whole name, and a tag is wanted for ${from}`, {
    hint: `sregistry copy ${shellWord(from)} ${shellWord(text)}`,
  });
}
