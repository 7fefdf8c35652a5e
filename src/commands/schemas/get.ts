import { fetched } from "./image.ts";
import { answer } from "./schema.ts";

export const GET = answer({
  command: "get",
  says: "an image in the cache",
  fields: fetched("absolute path of its file, which is read-only and shared", ["downloaded", "resumed", "present"]),
});
