/** YAML of configuration files: read with the line of each value, and changed without disturbing the rest. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SregistryError } from "../../src/errors.ts";
import { editYaml, parseYaml, type YamlEdit, type YamlNode } from "../../src/yaml/document.ts";

/** The code and message that `work` fails with. */
function failure(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof SregistryError) return `${error.code} ${error.message}`;
    throw error;
  }
  return "it did not fail";
}

/** As plain values: maps as objects. */
function plain({ value }: YamlNode): unknown {
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, node]) => [key, plain(node)]));
  return Array.isArray(value) ? value.map(plain) : value;
}

const edited = (text: string, work: (edit: YamlEdit) => void): string => editYaml(text, "remote.yaml", work);
const read = (text: string): unknown => plain(parseYaml(text, "remote.yaml"));

describe("parseYaml", () => {
  it("reads maps, lists and scalars of the core schema, and nothing of YAML 1.1", () => {
    const text = 'a: 1\nb: [true, "x", null, ~]\nc: {d: yes, e: 2020-01-01, f: 0o17}\ng:\n';
    expect(read(text)).toEqual({
      a: 1,
      b: [true, "x", null, null],
      c: { d: "yes", e: "2020-01-01", f: 15 },
      g: null,
    });
  });

  it("tells the line of each value", () => {
    const { value } = parseYaml("# head\n\nfirst: 1\nlist:\n  - a\n  - b\n", "f");
    if (!(value instanceof Map)) throw new Error("no map");
    const list = value.get("list");
    expect([value.get("first")?.line, list?.line]).toEqual([3, 4]);
    const items: readonly YamlNode[] = Array.isArray(list?.value) ? list.value : [];
    expect(items.map(({ line }) => line)).toEqual([5, 6]);
  });

  it("reads nothing as null: an empty file, comments, a bare document", () => {
    for (const text of ["", "\n\n", "# nothing\n", "---\n", "--- \n...\n"]) expect(read(text)).toBeNull();
  });

  it("keeps keys that would be properties of anything", () => {
    const { value } = parseYaml("__proto__: {polluted: true}\nconstructor: x\ntoString: y\n", "f");
    expect(value instanceof Map ? [...value.keys()] : []).toEqual(["__proto__", "constructor", "toString"]);
    expect(Reflect.get({}, "polluted")).toBeUndefined();
  });

  it("leaves merge keys unmerged", () => {
    expect(read("a: &a {x: 1}\nb: {<<: *a, y: 2}\n")).toEqual({ a: { x: 1 }, b: { "<<": { x: 1 }, y: 2 } });
  });

  it.each([
    ["a tab for indentation", "a:\n\tb: 1\n", /^CONFIG_INVALID broken\.yaml, line 2: /],
    ["a bracket that does not close", "a: 1\nb: [x\n", /^CONFIG_INVALID broken\.yaml, line [23]: /],
    ["a key twice", "a: 1\nb: 2\na: 3\n", /^CONFIG_INVALID broken\.yaml, line 3: /],
    ["two documents", "a: 1\n---\nb: 2\n", /^CONFIG_INVALID broken\.yaml, line [23]: /],
    ["a tag of a language", "a: 1\nb: !!python/object:os.system x\n", /^CONFIG_INVALID broken\.yaml, line 2: /],
    ["an alias of nothing", "a: *nobody\n", /^CONFIG_INVALID broken\.yaml, line 1: /],
    ["a key that is a map", "? {a: 1}\n: 2\n", /^CONFIG_INVALID broken\.yaml, line 1: /],
  ])("names file and line of %s", (_what, text, message) => {
    expect(failure(() => parseYaml(text, "broken.yaml"))).toMatch(message);
  });

  it("survives brackets within brackets", () => {
    for (const bomb of ["[".repeat(50_000), "{a: ".repeat(20_000), "- ".repeat(50_000), `a: ${"[".repeat(17)}`]) {
      expect(failure(() => parseYaml(bomb, "bomb.yaml"))).toMatch(/^CONFIG_INVALID bomb\.yaml/);
    }
  });

  it("counts levels: sixteen are enough for anybody", () => {
    expect(read(`a: ${"[".repeat(15)}${"]".repeat(15)}`)).toBeDefined();
    expect(failure(() => parseYaml(`a: ${"[".repeat(17)}${"]".repeat(17)}`, "f"))).toBe(
      "CONFIG_INVALID f, line 1: more than 16 levels",
    );
  });

  it("does not multiply aliases (billion laughs)", () => {
    const lines = ["a0: &a0 [lol, lol]"];
    for (let i = 1; i < 9; i += 1)
      lines.push(
        `a${i}: &a${i} [${Array(9)
          .fill(`*a${i - 1}`)
          .join(", ")}]`,
      );
    expect(failure(() => parseYaml(lines.join("\n"), "laughs.yaml"))).toMatch(
      /^CONFIG_INVALID laughs\.yaml, line \d+: more than 10 uses of aliases$/,
    );
    expect(read("a: &a x\nb: *a\nc: *a\n")).toEqual({ a: "x", b: "x", c: "x" });
  });

  it("does not follow an alias into itself", () => {
    expect(failure(() => parseYaml("a: &a [*a]\n", "circle.yaml"))).toMatch(/^CONFIG_INVALID circle\.yaml, line 1: /);
  });

  it("fails with an error of ours on any text, and on no other way", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(..."ab:-[]{}&*!|>'\"%@`#?,\n \t0") }), (text) => {
        try {
          parseYaml(text, "f");
        } catch (error) {
          expect(error).toBeInstanceOf(SregistryError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

const HAND_WRITTEN = `# my remotes, do not touch

Active: 'home' # at the desk
Remotes:
  # the cluster
  site:
    URI: "library.example.org" # asked Ann
    Token: 'abc'
    System: false
    Exclusive: false

  # only from inside
  home: { URI: 127.0.0.1, Insecure: true }
Future:
  - "of another version"
  - { x: 1 }
`;

describe("editYaml", () => {
  it("keeps comments, order, quotes and foreign keys", () => {
    const changed = edited(HAND_WRITTEN, (edit) => {
      edit.set(["Active"], "site");
      edit.set(["Remotes", "site", "Token"], "def");
      edit.set(["Remotes", "new"], { URI: "new.example.org", System: false });
    });
    expect(changed).toBe(
      HAND_WRITTEN.replace("'home'", "'site'")
        .replace("'abc'", "'def'")
        .replace("true }\n", "true }\n  new:\n    URI: new.example.org\n    System: false\n"),
    );
  });

  it.each([
    ["nothing is done", () => undefined],
    ["a value is set to what it is", (edit: YamlEdit) => edit.set(["Remotes", "site", "Token"], "abc")],
    ["something is deleted that is not there", (edit: YamlEdit) => edit.delete(["Remotes", "nobody", "Token"])],
  ])("gives the very same text when %s", (_what, work: (edit: YamlEdit) => unknown) => {
    const odd = `${HAND_WRITTEN.replace("Future:", "Future:    ")}\n\n   # end\n`;
    for (const text of [HAND_WRITTEN, odd, HAND_WRITTEN.replaceAll("\n", "\r\n")]) {
      expect(edited(text, (edit) => void work(edit))).toBe(text);
    }
  });

  it("deletes a value with its own comment, and nobody else's", () => {
    const changed = edited(HAND_WRITTEN, (edit) => edit.delete(["Remotes", "home"]));
    expect(changed).toBe(HAND_WRITTEN.replace(/\n\n {2}# only from inside\n.*true }/, ""));
  });

  it("begins a file", () => {
    const changed = edited("", (edit) => {
      edit.set(["Remotes", "x"], { URI: "h", System: false });
      edit.set(["Remotes", "x", "Insecure"], true);
    });
    expect(changed).toBe("Remotes:\n    x:\n        URI: h\n        System: false\n        Insecure: true\n");
  });

  it("begins a file that has comments alone", () => {
    expect(edited("# mine\n", (edit) => edit.set(["a"], "b"))).toBe("# mine\n\na: b\n");
  });

  it.each(["Remotes:\n", "Remotes: {}\n", "Remotes: ~\n"])("fills the map that is not there in %j", (text) => {
    const changed = edited(text, (edit) => edit.set(["Remotes", "x"], { URI: "h" }));
    expect(changed).toBe("Remotes:\n    x:\n        URI: h\n");
  });

  it("puts a new key first, or behind a sibling", () => {
    const changed = edited("# top\n\nb:\n  one: 1\n  three: 3\n", (edit) => {
      edit.set(["a"], "first", null);
      edit.set(["b", "two"], "2nd", "one");
      edit.set(["b", "four"], "4th", "nobody");
    });
    expect(read(changed)).toEqual({ a: "first", b: { one: 1, two: "2nd", three: 3, four: "4th" } });
    expect(changed).toBe("# top\n\na: first\nb:\n  one: 1\n  two: 2nd\n  three: 3\n  four: 4th\n");
  });

  it("leaves a key that is there where it is", () => {
    expect(edited("b: 1\na: 2\n", (edit) => edit.set(["a"], "x", null))).toBe("b: 1\na: x\n");
  });

  it.each([
    ["a list", "Remotes: [x]\n", "Remotes"],
    ["a text", "Remotes: {x: text}\n", "Remotes.x"],
    ["a document that is a list", "- a\n", "the document"],
  ])("refuses to lead a path through %s", (_what, text, where) => {
    expect(failure(() => edited(text, (edit) => edit.set(["Remotes", "x", "Token"], "t")))).toBe(
      `CONFIG_INVALID remote.yaml: ${where} is no map of names to values`,
    );
  });

  it("does not write what it could not read", () => {
    for (const text of ["a: [\n", "[".repeat(50_000), "a: 1\na: 2\n"]) {
      expect(failure(() => edited(text, (edit) => edit.set(["b"], "c")))).toMatch(/^CONFIG_INVALID remote\.yaml/);
    }
  });

  it("changes one of two places that share a value, and not the other", () => {
    const shared = "a: {Token: &t old}\nb: {Token: *t}\n";
    expect(read(edited(shared, (edit) => edit.set(["b", "Token"], "new")))).toEqual({
      a: { Token: "old" },
      b: { Token: "new" },
    });
    expect(failure(() => edited(shared, (edit) => edit.set(["a", "Token"], "new")))).toBe(
      "CONFIG_INVALID remote.yaml: a.Token may be used in other places too, as *t",
    );
    expect(failure(() => edited(shared, (edit) => edit.delete(["a"])))).toMatch(/^CONFIG_INVALID remote\.yaml/);
    const entries = "a: &a {Token: old}\nb: *a\n";
    expect(failure(() => edited(entries, (edit) => edit.set(["a", "Token"], "new")))).toMatch(
      /^CONFIG_INVALID .* \*a$/,
    );
  });

  it("gives back what was set, whatever the text, and touches nothing else", () => {
    const text = fc.oneof(
      fc.string({ unit: "grapheme" }),
      fc.string({ unit: fc.constantFrom(..."ab:-#'\"\\ \t[]{}&*!|>%@`,?~=<01") }),
      fc.constantFrom("yes", "null", "~", "1e5", "0x1f", "0123", "2020-01-01", "true", "", " ", "=", "<<", ".inf", "-"),
    );
    const key = text.filter((it) => it !== "" && !["site", "home"].includes(it));
    fc.assert(
      fc.property(key, text, fc.boolean(), (name, value, flag) => {
        const changed = edited(HAND_WRITTEN, (edit) => {
          edit.set(["Remotes", name], { URI: value, Insecure: flag });
          edit.set(["Active"], value);
        });
        const before = read(HAND_WRITTEN);
        expect(read(changed)).toEqual({
          ...Object(before),
          Active: value,
          Remotes: Object.fromEntries([
            ...Object.entries(Object(before).Remotes),
            [name, { URI: value, Insecure: flag }],
          ]),
        });
        expect(edited(changed, (edit) => edit.set(["Active"], value))).toBe(changed);
        expect(read(edited(changed, (edit) => edit.delete(["Remotes", name])))).toEqual({
          ...Object(before),
          Active: value,
        });
      }),
      { numRuns: 300 },
    );
  });
});
