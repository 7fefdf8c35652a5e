import { answerOnNode, bcast as bcastImage } from "../client/bcast.ts";
import { parseReference } from "../reference/parse.ts";
import type { Reference } from "../reference/reference.ts";
import { BCAST } from "./schemas/bcast.ts";
import { ARCHITECTURE_OPTION } from "./shared.ts";
import { defineVerb, requireWord } from "./verb.ts";

interface Broadcast {
  readonly reference: Reference;
  readonly destination: string;
  readonly force: boolean;
  readonly architecture?: string;
  /** The program on the nodes, where it is elsewhere than here. */
  readonly program: string | undefined;
}

/** A text: what another process of this program wants of this node. */
type Input = Broadcast | string;

export const bcast = defineVerb<Input>({
  arguments: [
    { name: "<reference>", description: "the image", checkedByVerb: true },
    {
      name: "<destination>",
      description: "file on every node; with a slash at its end a directory",
      completes: "file",
      checkedByVerb: true,
    },
  ],
  options: [
    { flags: "-F, --force", description: "replace a file that holds something else" },
    { flags: "--program <file>", description: "sregistry on the nodes, where it is elsewhere than here" },
    ARCHITECTURE_OPTION,
    {
      flags: "--on-node <errand>",
      description: "what this program asks of itself",
      hidden: true,
      noEnv: "nobody types it",
    },
  ],
  examples: [
    { command: "sregistry bcast lab/tool:1.0 /tmp/tool.sif", says: "to the disk of every node of the job" },
    {
      command: "image=$(sregistry bcast lab/tool:1.0 /local/) || exit",
      says: 'in a batch script, before: srun apptainer exec "$image" tool',
    },
  ],
  answers: [BCAST],
  parse(words, flags) {
    const errand = flags.text("on-node");
    if (errand !== undefined) return errand;
    const architecture = flags.text("arch");
    return {
      reference: parseReference(requireWord(words, 0, "the image")),
      destination: requireWord(words, 1, "the destination, a path on the nodes,"),
      force: flags.on("force"),
      program: flags.text("program"),
      ...(architecture === undefined ? {} : { architecture }),
    };
  },
  async run(input, context) {
    if (typeof input === "string") {
      return context.terminal.line(await answerOnNode(input, context.env, context.signal));
    }
    const { program, ...image } = input;
    const command = program === undefined ? context.command : [program];
    const [services, call] = await Promise.all([context.services(), context.call()]);
    const outcome = await bcastImage(services, { ...image, command }, call);
    if (outcome.job !== null && outcome.outcome === "present") {
      call.log.info(`${outcome.path} holds this image on every node already; nothing was sent`);
    }
    if (context.flags.structured) return context.terminal.document({ ...outcome });
    return context.terminal.line(outcome.path);
  },
});
