import { answer, text } from "./schema.ts";

export const VERSION = answer({
  command: "version",
  says: "this program",
  fields: {
    version: text("its version"),
    node: text("Node's version"),
    platform: text("the operating system: linux"),
    architecture: text("the processor, as Node calls it: x64, arm64"),
  },
});
