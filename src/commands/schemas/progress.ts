/** The lines on stderr with `--progress json`. */
import { ERROR } from "./error.ts";
import { integer, nullable, type ObjectSchema, object, text } from "./schema.ts";

const event = (name: string, says: string) => ({ event: text(says, { values: [name] }) });

const TRANSFER = {
  name: text("what is transferred"),
  image: nullable(text("the image's reference; null for what is no image")),
  offset: integer("bytes that are there"),
  total: nullable(integer("bytes in all; null where that is not known")),
};

export const PROGRESS: readonly ObjectSchema[] = [
  object("a transfer begins", { ...event("start", "it begins"), ...TRANSFER }),
  object("a transfer goes on; at most ten times a second", { ...event("progress", "it goes on"), ...TRANSFER }),
  object("a transfer does something else than moving bytes", {
    ...event("state", "it does something else"),
    ...TRANSFER,
    state: text("what it does: verifying, waiting"),
  }),
  object("a transfer is at its end, and verified", { ...event("done", "it is done"), ...TRANSFER }),
  object("a transfer stopped before its end", { ...event("fail", "it stopped"), ...TRANSFER }),
  object("the answer to SIGUSR1, for each transfer that is under way", {
    ...event("status", "somebody asked"),
    text: text("how far it is"),
  }),
  object("anything else that is said", {
    ...event("message", "a message"),
    level: text("how important it is", { values: ["info", "warning", "verbose", "debug"] }),
    text: text("the message", { lines: true }),
  }),
  { ...ERROR, says: "the failure that ended it" },
];
