import { planRemoval, remove } from "../client/delete.ts";
import { SregistryError } from "../errors.ts";
import { formatReference } from "../reference/format.ts";
import { parseReference } from "../reference/parse.ts";
import type { Reference } from "../reference/reference.ts";
import { DELETE } from "./schemas/delete.ts";
import { defineVerb, requireWord } from "./verb.ts";

interface Input {
  readonly reference: Reference;
  readonly force: boolean;
}

export const deleteVerb = defineVerb<Input>({
  arguments: [{ name: "<reference>", description: "the tag, or by digest the image with all its tags" }],
  options: [{ flags: "-f, --force", description: "do not ask", noEnv: "what is gone is gone" }],
  examples: [
    { command: "sregistry delete lab/tool:1.0", says: "asks yes or no first" },
    { command: "sregistry delete lab/tool:1.0 --force", says: "in a script" },
  ],
  answers: [DELETE],
  parse(words, flags) {
    return { reference: parseReference(requireWord(words, 0, "the image to delete")), force: flags.on("force") };
  },
  async run({ reference, force }, context) {
    const [services, call] = await Promise.all([context.services(), context.call()]);
    if (!force) {
      const { deleted: goes } = await planRemoval(services, reference, call);
      const sure = await context.terminal.prompt.confirm(`Delete ${goes.join(", ")}?`, "--force");
      if (!sure) throw new SregistryError("USAGE", `${formatReference(reference)} was not deleted: the answer was no`);
    }
    const { deleted } = await remove(services, reference, call);
    if (context.flags.structured) return context.terminal.document({ deleted });
    for (const name of deleted) await context.terminal.line(name);
    return undefined;
  },
});
