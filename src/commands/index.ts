/** Every verb with the one line that `sregistry --help` shows; the rest of a verb is loaded when it is used. */
import type { AnyVerb } from "./verb.ts";

export interface VerbEntry {
  readonly name: string;
  readonly summary: string;
  readonly group: "Images" | "Registries" | "Program";
  load(): Promise<AnyVerb>;
}

export const VERBS: readonly VerbEntry[] = [
  {
    name: "pull",
    group: "Images",
    summary: "fetch images to files: verified, resumable",
    load: async () => (await import("./pull.ts")).pull,
  },
  {
    name: "push",
    group: "Images",
    summary: "send an image and set its tags",
    load: async () => (await import("./push.ts")).push,
  },
  {
    name: "list",
    group: "Images",
    summary: "list containers, with their metadata if asked",
    load: async () => (await import("./list.ts")).list,
  },
  {
    name: "search",
    group: "Images",
    summary: "find images by a part of their name or description",
    load: async () => (await import("./search.ts")).search,
  },
  {
    name: "inspect",
    group: "Images",
    summary: "show what an image says of itself, remote or in a file",
    load: async () => (await import("./inspect.ts")).inspect,
  },
  {
    name: "get",
    group: "Images",
    summary: "print the path of an image, fetching it only if needed",
    load: async () => (await import("./get.ts")).get,
  },
  {
    name: "copy",
    group: "Images",
    summary: "copy images between any two endpoints, nothing kept on the way",
    load: async () => (await import("./copy.ts")).copy,
  },
  {
    name: "tag",
    group: "Images",
    summary: "give an image more tags without sending it again",
    load: async () => (await import("./tag.ts")).tag,
  },
  {
    name: "labels",
    group: "Images",
    summary: "show and find labels across images",
    load: async () => (await import("./labels.ts")).labels,
  },
  {
    name: "delete",
    group: "Images",
    summary: "remove a tag or an image",
    load: async () => (await import("./delete.ts")).deleteVerb,
  },
  {
    name: "bcast",
    group: "Images",
    summary: "put an image on the local disk of every node of a Slurm job",
    load: async () => (await import("./bcast.ts")).bcast,
  },
  {
    name: "cache",
    group: "Images",
    summary: "the image cache: path, list, verify, prune, clean",
    load: async () => (await import("./cache.ts")).cache,
  },
  {
    name: "login",
    group: "Registries",
    summary: "check and keep the credentials of a remote or a host",
    load: async () => (await import("./login.ts")).login,
  },
  {
    name: "logout",
    group: "Registries",
    summary: "forget the credentials of a remote or a host",
    load: async () => (await import("./logout.ts")).logout,
  },
  {
    name: "remote",
    group: "Registries",
    summary: "name registries, and choose the default one",
    load: async () => (await import("./remote.ts")).remote,
  },
  {
    name: "serve",
    group: "Registries",
    summary: "run the embedded registry over HTTP",
    load: async () => (await import("./serve.ts")).serve,
  },
  {
    name: "collection",
    group: "Registries",
    summary: "create a collection",
    load: async () => (await import("./collection.ts")).collection,
  },
  {
    name: "completion",
    group: "Program",
    summary: "print the script that completes words in a shell",
    load: async () => (await import("./completion.ts")).completion,
  },
  {
    name: "version",
    group: "Program",
    summary: "print the version",
    load: async () => (await import("./version.ts")).version,
  },
];
