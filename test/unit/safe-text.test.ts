import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { safeBlock, safeJson, safeText, withoutCommands } from "../../src/terminal/safe-text.ts";
import { rowsOf, terminal } from "../support/terminal.ts";

describe("text from a server", () => {
  it("cannot steer the terminal", () => {
    expect(safeText("a\u001b[2Jb\u202ec\u009bd\ne")).toBe("a\\u001b[2Jb\\u202ec\\u009bd\\u000ae");
  });

  it("never holds a control character, whatever comes", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(safeText(text)).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/);
        expect(safeBlock(text)).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/);
      }),
    );
  });

  it.each([
    ["::set-output name=x::y\n", "\\u003a:set-output name=x::y\n"],
    ["ok\n \t::add-mask::a", "ok\n \t\\u003a:add-mask::a"],
    [
      "a ##[error]b, c ##vso[task.setvariable variable=PATH]d",
      "a #\\u0023[error]b, c #\\u0023vso[task.setvariable variable=PATH]d",
    ],
    ["a ::b, ##c [d]\n", "a ::b, ##c [d]\n"],
  ])("cannot give commands to the reader of a CI job's log: %j", (text, shown) => {
    expect(withoutCommands(text)).toBe(shown);
  });

  it.each([
    ["GITHUB_ACTIONS", "\\u003a:error::x\ty\n\\u003a:error::x\n \\u003a:stop-commands::z\n"],
    ["CI", "::error::x\ty\n::error::x\n ::stop-commands::z\n"],
  ])("is kept from such a log alone, where %s is set", async (variable, shown) => {
    const { terminal: made, stdout } = await terminal({ env: { [variable]: "true" } });
    await made.table(["KEY", "VALUE"], rowsOf(["::error::x", "y"]));
    await made.line("::error::x");
    await made.block(" ::stop-commands::z");
    expect(stdout.text).toBe(shown);
  });

  it("is the same document for programs that read it out of such a job", async () => {
    const { terminal: made, stdout } = await terminal({ env: { TF_BUILD: "True" }, json: true });
    await made.document({ text: "##[error]x" });
    expect(stdout.text).not.toContain("##[");
    expect(JSON.parse(stdout.text)).toEqual({ schemaVersion: 1, text: "##[error]x" });
  });

  it("is the same value in JSON, with its controls as escapes", () => {
    const value = { name: "a\u009b\u202e\u001bz" };
    expect(safeJson(value)).toBe('{\n  "name": "a\\u009b\\u202e\\u001bz"\n}');
    expect(JSON.parse(safeJson(value))).toEqual(value);
  });
});
