import { answer, flag, object, text } from "./schema.ts";

export const COLLECTION_CREATE = answer({
  command: "collection create",
  says: "a collection that was made",
  fields: {
    collection: object("the collection", {
      name: text("its name as the registry writes it"),
      private: flag("only its owner and contributors see it"),
    }),
  },
});
