/** `--format`: the template, and what it makes of an answer. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatFor } from "../../src/commands/format.ts";
import { globalFlags } from "../../src/commands/globals.ts";
import {
  type Answer,
  answer,
  flag,
  integer,
  list,
  map,
  object,
  optional,
  text,
} from "../../src/commands/schemas/schema.ts";
import { parseTemplate } from "../../src/commands/template.ts";
import { SregistryError } from "../../src/errors.ts";
import { parseProgram } from "../../src/program.ts";

const THING = {
  name: text("its name"),
  size: integer("its size in bytes"),
  signed: flag("it is signed"),
  digest: optional(text("its digest")),
  script: optional(text("its script", { lines: true })),
  labels: map("its labels", text("a label's value")),
  tags: list("its tags", text("a tag")),
  owner: optional(object("who made it", { mail: text("an address") })),
};

const ONE = answer({ command: "one", says: "a thing", fields: THING });
const MANY = answer({
  command: "many",
  says: "things",
  rows: "things",
  fields: { things: list("things", object("a thing", THING)), count: integer("number of things") },
});
const NAMES = answer({
  command: "names",
  says: "names",
  rows: "names",
  fields: { names: list("names", text("a name")) },
});

const thing = {
  name: "lab/tool:1",
  size: 40960,
  signed: false,
  labels: { maintainer: "vanessa", "org.label-schema.name": "tool" },
  tags: ["1", "latest"],
};

const lines = (template: string, document: unknown = thing, shape: Answer = ONE): readonly string[] =>
  formatFor(template, shape)(document);

describe("a template", () => {
  it.each([
    ["{{.name}}", "lab/tool:1"],
    ["{{ .name }}", "lab/tool:1"],
    ["{{.name}}\\t{{.size}}\\n{{.signed}}", "lab/tool:1\t40960\nfalse"],
    ["a } b { c }} \\x", "a } b { c }} \\x"],
    ["{{.labels.maintainer}}", "vanessa"],
    ["{{.labels.org.label-schema.name}}", "tool"],
    ["[{{.labels.nobody}}{{.digest}}{{.owner.mail}}]", "[]"],
    ["{{.tags}} {{.labels}}", '["1","latest"] {"maintainer":"vanessa","org.label-schema.name":"tool"}'],
    ["{{json .name}} {{json .size}} {{json .digest}}", '"lab/tool:1" 40960 null'],
    ["{{json .}}", JSON.stringify(thing)],
    ["{{.}}", JSON.stringify(thing)],
    ["", ""],
  ])("%s", (template, line) => {
    expect(lines(template)).toEqual([line]);
  });

  it("is written once for each row, and not at all without one", () => {
    const things = [thing, { ...thing, name: "lab/other:2" }];
    expect(lines("{{.name}}", { things, count: 2 }, MANY)).toEqual(["lab/tool:1", "lab/other:2"]);
    expect(lines("{{.name}}", { things: [], count: 0 }, MANY)).toEqual([]);
    expect(lines("-> {{.}}", { names: ["a", "b"] }, NAMES)).toEqual(["-> a", "-> b"]);
  });

  it.each([
    [
      "{{.diggest}}",
      "--format, at character 1: one answers no field .diggest; there are .schemaVersion, .name, .size, .signed, .digest, .script, .labels, .tags, .owner",
    ],
    ["ab {{.name.first}}", "--format, at character 4: one answers no field .name.first; .name is its name"],
    ["{{.owner.name}}", "--format, at character 1: one answers no field .owner.name; there are .owner.mail"],
    ["{{.tags.0}}", "--format, at character 1: one answers no field .tags.0; .tags is its tags"],
    ["x{{.name", "--format, at character 2: its {{ has no }}"],
    ["{{name}}", "--format, at character 1: {{name}} is neither {{.field}} nor {{json .field}}"],
    ["{{range .tags}}", "--format, at character 1: {{range .tags}} is neither {{.field}} nor {{json .field}}"],
    ["{{.}}{{}}", "--format, at character 6: {{}} is neither {{.field}} nor {{json .field}}"],
    ["{{..name}}", "--format, at character 1: {{..name}} is neither {{.field}} nor {{json .field}}"],
  ])("is refused before anything is done: %s", (template, message) => {
    expect(() => formatFor(template, ONE)).toThrow(expect.objectContaining({ code: "USAGE", message }));
  });

  it("is told what was meant", () => {
    expect(() => formatFor("{{.diggest}}", ONE)).toThrow(expect.objectContaining({ hint: "did you mean .digest?" }));
    expect(() => formatFor("{{.owner.mal}}", ONE)).toThrow(
      expect.objectContaining({ hint: "did you mean .owner.mail?" }),
    );
    expect(() => formatFor("{{.weather}}", ONE)).toThrow(
      expect.objectContaining({ hint: "--format '{{json .}}' shows all that there is" }),
    );
  });

  it("of rows knows the rows' fields alone", () => {
    expect(() => formatFor("{{.count}}", MANY)).toThrow("many answers no field .count; there are .name, ");
    expect(() => formatFor("{{.name}}", NAMES)).toThrow("names answers no field .name; {{.}} is a name");
  });

  it("writes no control character of a server's, and keeps the lines of a text that has some", () => {
    const evil = { ...thing, name: "a\u001b[2J\nb", script: "one\u001b[2J\ntwo\n\n", labels: { "x\u009b": "\n" } };
    expect(lines("{{.name}}|{{.script}}|{{.labels}}|{{json .name}}", evil)).toEqual([
      'a\\u001b[2J\\u000ab|one\\u001b[2J\ntwo|{"x\\u009b":"\\n"}|"a\\u001b[2J\\nb"',
    ]);
  });

  it("of any text is read or refused, and its text comes through", () => {
    const piece = fc.oneof(
      fc.string(),
      fc.constantFrom("{{", "}}", "{", "}", ".", "json ", "{{.name}}", "{{json .}}", "\\t", "\\n", "\\"),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const template = pieces.join("");
        try {
          const parts = parseTemplate(template);
          const again = parts.map((part) =>
            typeof part === "string" ? part : `{{${part.json ? "json " : ""}.${part.path.join(".")}}}`,
          );
          const plain = template.replace(/\{\{\s*(json)?\s*(\.[^\s{}]*)\s*\}\}/g, (_all, json = "", path = "") => {
            return `{{${json === "" ? "" : "json "}${path}}}`;
          });
          expect(again.join("")).toBe(plain.replaceAll("\\t", "\t").replaceAll("\\n", "\n"));
        } catch (error) {
          if (!(error instanceof SregistryError)) throw error;
          expect(error.message).toMatch(/^--format, at character [1-9]\d*: /);
        }
      }),
    );
  });
});

describe("the command line", () => {
  const program = (argv: readonly string[], env: Record<string, string> = {}) =>
    parseProgram({ argv, env, version: "1.2.3" });
  const form = async (argv: readonly string[], env: Record<string, string> = {}) => {
    const { json, format } = globalFlags((await program(argv, env)).flags);
    return { json, format };
  };

  it("has --json or --format; what is typed counts before a variable", async () => {
    const both = { SREGISTRY_JSON: "1", SREGISTRY_FORMAT: "{{.name}}" };
    await expect(program(["list", "--json", "--format", "{{.name}}"])).rejects.toMatchObject({ code: "USAGE" });
    await expect(program(["list"], both)).rejects.toMatchObject({ code: "USAGE" });
    expect(await form(["list", "--json"], both)).toEqual({ json: true, format: undefined });
    expect(await form(["list", "--format", "{{.name}}"], both)).toEqual({ json: false, format: "{{.name}}" });
  });

  it("is told of a wrong field with what it was to do not begun", async () => {
    await expect(program(["pull", "lab/tool:1", "--format", "{{.nope}}"])).rejects.toMatchObject({
      code: "USAGE",
      message: expect.stringContaining("pull answers no field .nope; there are .reference, .path, .digest"),
    });
    await expect(program(["push", "x.sif", "a/b", "--dry-run", "--format", "{{.pinned}}"])).rejects.toMatchObject({
      message: expect.stringContaining("push --dry-run answers no field .pinned"),
    });
  });

  it("refuses a template for a verb without fields, unless a variable says it for all", async () => {
    const template = "{{.name}}";
    await expect(program(["completion", "bash", "--format", template])).rejects.toMatchObject({ code: "USAGE" });
    expect((await program(["completion", "bash"], { SREGISTRY_FORMAT: template })).render).toBeUndefined();
  });
});
