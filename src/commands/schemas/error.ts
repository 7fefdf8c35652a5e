/** How a failure is told: on stderr, with `--json` or `--progress json`. */
import { EXIT_STATUS } from "../../errors.ts";
import { integer, nullable, object, text } from "./schema.ts";

export const FAILURE = object("why it failed", {
  code: text("what kind of failure it is", { values: Object.keys(EXIT_STATUS) }),
  exit: integer("the exit status that belongs to the code"),
  message: text("one sentence: what was given, what was expected, and where"),
  hint: nullable(text("what to type or to look at next")),
});

export const ERROR = object("what is on stderr when a command that was to answer in JSON fails", { error: FAILURE });
