/** The verbs of the Python client that are gone, and what to type instead; docs/migrating.md has the rest. */

const REPLACED: Readonly<Record<string, string>> = {
  images: "sregistry list local://",
  add: "sregistry push FILE local://NAME",
  rm: "sregistry delete local://NAME",
  mv: "sregistry pull -o FILE local://NAME",
  rename: "sregistry copy local://NAME local://NEWNAME, then sregistry delete local://NAME",
  share: "sregistry copy local://NAME oras://HOST/NAME",
  build: "singularity build FILE RECIPE, then sregistry push FILE NAME",
  shell: 'singularity exec "$(sregistry get NAME)" PROGRAM; for programs: import { createClient } from "sregistry"',
  backend: "sregistry remote list, sregistry remote add, sregistry remote use, sregistry login",
};

/** The hint for a verb that the old client had and this program has not. */
export function insteadOf(verb: string): string | undefined {
  return Object.hasOwn(REPLACED, verb) ? REPLACED[verb] : undefined;
}
