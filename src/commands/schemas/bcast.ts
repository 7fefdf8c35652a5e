import { fetched, VERIFIED } from "./image.ts";
import { answer, list, nullable, object, text } from "./schema.ts";

export const BCAST = answer({
  command: "bcast",
  says: "an image on every node of a batch job",
  fields: {
    ...fetched("absolute path of its file, the same on every node", [
      ...["sent", "downloaded", "resumed", "cached", "present"],
    ]),
    verified: VERIFIED,
    job: nullable(
      object("the batch job; null outside of one, where the image was pulled", {
        id: text("the job's number"),
        nodes: list("names of its nodes", text("one node")),
      }),
    ),
  },
});
