/** The scripts and pages that are made from the verbs' definitions, and the line that a shell hands over. */
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { wordsCommand } from "../../src/commands/completion/line.ts";
import { actionSteps, programModel } from "../../src/commands/completion/model.ts";
import { VERBS } from "../../src/commands/index.ts";

const ROOT = resolve(import.meta.dirname, "../..");

async function model() {
  return programModel(await Promise.all(VERBS.map(async ({ load, ...entry }) => ({ ...entry, verb: await load() }))));
}

it("completions/ and man/ are what the definitions say (npm run docs)", () => {
  expect(() =>
    execFileSync(process.execPath, [join(ROOT, "scripts/docs.js"), "--check"], { stdio: "pipe", encoding: "utf8" }),
  ).not.toThrow();
});

it("there is a page for the program and for every verb, and none names a place of this machine", () => {
  const pages = readdirSync(join(ROOT, "man"));
  expect([...pages].sort()).toEqual(["sregistry.1", ...VERBS.map(({ name }) => `sregistry-${name}.1`)].sort());
  const texts = ["man", "completions"].flatMap((folder) =>
    readdirSync(join(ROOT, folder)).map((name) => readFileSync(join(ROOT, folder, name), "utf8")),
  );
  expect(texts.filter((text) => [ROOT, homedir()].some((place) => text.includes(`${place}/`)))).toEqual([]);
});

describe("the model", () => {
  it("knows every verb that takes words of a kind, and flags with values", async () => {
    const { verbs, globals } = await model();
    const kinds = Object.fromEntries(verbs.flatMap(({ name, takes }) => (takes.length > 0 ? [[name, takes]] : [])));
    expect(kinds).toMatchObject({
      pull: ["reference"],
      push: ["file", "reference"],
      list: ["pattern"],
      inspect: ["image"],
      tag: ["reference", "tag"],
      login: ["login"],
      search: [undefined, "endpoint"],
    });
    const flag = (name: string) => globals.find(({ names }) => names.includes(name));
    expect(flag("--progress")?.offer).toEqual({
      choices: ["auto", "bar", "plain", "json", "none"].map((word) => ({ word, says: "" })),
    });
    expect(flag("--config")).toMatchObject({ names: ["-c", "--config"], offer: { kind: "file" } });
    expect(flag("--offline")).toMatchObject({ valued: false });
  });

  it("leads from an action's first word to its second", async () => {
    const serve = (await model()).verbs.find(({ name }) => name === "serve");
    const steps = serve === undefined ? [] : actionSteps(serve);
    expect(steps.map(({ before, next, kind }) => [before.join(" "), next.map(({ word }) => word), kind])).toEqual([
      ["", ["user", "freeze", "unfreeze"], undefined],
      ["user", ["add", "list", "remove"], undefined],
      ["freeze", [], "reference"],
      ["unfreeze", [], "reference"],
    ]);
  });
});

describe("the line that a shell hands over", () => {
  it.each([
    [
      ["reference", "--", "lab/", "pull"],
      ["reference", "--", "lab/", "pull"],
    ],
    [
      ["reference", "--", "lab/", "--registry", "lab", "pull", "-v", "--offline"],
      ["reference", "--registry", "lab", "--offline", "--", "lab/", "pull"],
    ],
    [
      ["tag", "--", "", "push", "x.sif", "--registry=lab", "-c"],
      ["tag", "--registry=lab", "--", "", "push", "x.sif"],
    ],
    [
      ["registry", "--", "", "pull", "--registry"],
      ["registry", "--", "", "pull"],
    ],
    [
      ["reference", "--", "--x", "--debug", "--json"],
      ["reference", "--", "--x"],
    ],
    [["reference"], ["reference", "--", ""]],
  ])("%j", (asked, run) => {
    expect(wordsCommand(["completion", "words", ...asked])).toEqual(["completion", "words", ...run]);
  });
});
