/** The types of the programming interface: each that a signature names, or an outcome holds, is exported by its name. */
import { readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { expect, it } from "vitest";

const SRC = resolve(import.meta.dirname, "../src");

/** What options are made of by leaving out and renaming; nobody has to write them down. */
const BASES = /Input$|^(?:ServiceFlags|PushPlan|SearchHit|PushResult)$/;

const texts = new Map<string, string>();
function textOf(file: string): string {
  const known = texts.get(file) ?? readFileSync(join(SRC, file), "utf8").replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");
  texts.set(file, known);
  return known;
}

/** The file and the text of a type's declaration; undefined for what is the language's, Node's, or a type's parameter. */
function declaration(name: string, file: string): { readonly file: string; readonly text: string } | undefined {
  const text = textOf(file);
  const begin = text.search(new RegExp(`^(?:export )?(?:interface|type|class) ${name}\\b`, "m"));
  if (begin >= 0) {
    const rest = text.slice(begin);
    // To the first line that closes it: a brace or a semicolon at the margin's statement.
    const end = /^\}.*$|^(?! ).*;$|^ {2}.*;\n(?! )/m.exec(
      rest.slice(rest.startsWith("export type") ? 0 : rest.indexOf("{")),
    );
    const body = end === null ? rest : rest.slice(0, rest.indexOf(end[0]) + end[0].length);
    return { file, text: body };
  }
  for (const [, names = "", target = ""] of text.matchAll(
    /(?:import|export)(?: type)? \{([^}]*)\} from "(\.[^"]+)"/g,
  )) {
    const found = names.split(",").find((one) => one.trim().split(" ").at(-1) === name);
    const original = found
      ?.trim()
      .replace(/^type /, "")
      .split(" as ")[0];
    if (original !== undefined) return declaration(original, relative(SRC, resolve(SRC, dirname(file), target)));
  }
  return undefined;
}

it("is exported by its name, whatever a signature names", () => {
  const index = textOf("index.ts");
  const exported = new Set(
    [...index.matchAll(/\{([^}]*)\}/g)]
      .flatMap(([, names = ""]) => names.split(","))
      .map(
        (one) =>
          one
            .trim()
            .replace(/^type /, "")
            .split(" as ")[0],
      ),
  );
  const seen = new Set<string>();
  const missing: string[] = [];
  const walk = (name: string, from: string): void => {
    const found = declaration(name, from);
    if (found === undefined || BASES.test(name) || seen.has(`${found.file} ${name}`)) return;
    seen.add(`${found.file} ${name}`);
    if (/^(?:export )/.test(found.text) && !exported.has(name)) missing.push(`${name} of ${found.file}`);
    for (const [inner] of found.text.matchAll(/\b[A-Z]\w+\b/g)) if (inner !== name) walk(inner, found.file);
  };
  walk("Client", "client/interface.ts");
  walk("createClient", "client/client.ts");
  walk("ClientOptions", "client/interface.ts");
  walk("ProgressEvent", "client/progress-events.ts");
  expect(seen.size).toBeGreaterThan(60);
  expect(missing).toEqual([]);
});
