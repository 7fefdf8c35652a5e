/** What .github asks for against what there is, and what a workflow may do. */
import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";

const ROOT = resolve(import.meta.dirname, "..");
const WORKFLOWS = join(ROOT, ".github", "workflows");
const workflows = readdirSync(WORKFLOWS).map((name) => ({ name, text: readFileSync(join(WORKFLOWS, name), "utf8") }));
const { scripts, engines } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));

describe.each(workflows)("$name", ({ text }) => {
  it("takes actions by commit, with the version beside it", () => {
    const uses = [...text.matchAll(/uses: (.*)/g)].map(([, what = ""]) => what);
    const loose = uses.filter(
      (what) => !what.startsWith("./") && !/^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(what),
    );
    expect(loose).toEqual([]);
  });

  it("may read the checkout, and each job no more than it says", () => {
    const { permissions, jobs } = parse(text);
    expect(permissions).toEqual({ contents: "read" });
    const wide = Object.entries<{ permissions?: unknown }>(jobs).filter(
      ([, job]) => typeof job.permissions === "string",
    );
    expect(wide.map(([name]) => name)).toEqual([]);
  });

  it("keeps no login in the checkout, and puts nothing that others wrote into a script", () => {
    const checkouts = text.match(/actions\/checkout@/g)?.length ?? 0;
    expect(text.match(/persist-credentials: false/g)?.length ?? 0).toBe(checkouts);
    const steps = Object.values<{ steps?: readonly { run?: string }[] }>(parse(text).jobs).flatMap(
      (job) => job.steps ?? [],
    );
    expect(steps.filter(({ run = "" }) => run.includes("${{"))).toEqual([]);
  });

  it("runs scripts that there are", () => {
    const named = [...text.matchAll(/npm run ([\w:-]+)/g)].map(([, name = ""]) => name);
    expect(named.filter((name) => !(name in scripts))).toEqual([]);
  });
});

describe("a release", () => {
  it("builds what it packs: .npmrc keeps npm from doing so", () => {
    const text = readFileSync(join(WORKFLOWS, "release.yml"), "utf8");
    expect(text).toMatch(/npm run build\n[\s\S]*npm pack --pack-destination/);
  });
});

describe("the tests of a change", () => {
  it("begin with the oldest Node that the package says it runs on", () => {
    const { jobs } = parse(readFileSync(join(WORKFLOWS, "ci.yml"), "utf8"));
    expect(`>=${jobs.test.strategy.matrix.node[0]}`).toBe(engines.node);
  });
});

describe("forms and settings of .github", () => {
  it.each(["dependabot.yml", "ISSUE_TEMPLATE/bug.yml", "ISSUE_TEMPLATE/feature.yml", "ISSUE_TEMPLATE/config.yml"])(
    "%s is YAML",
    (name) => {
      expect(parse(readFileSync(join(ROOT, ".github", name), "utf8"))).toBeTypeOf("object");
    },
  );

  it("ask in a report for what the program can say of itself", () => {
    const { body } = parse(readFileSync(join(ROOT, ".github", "ISSUE_TEMPLATE", "bug.yml"), "utf8"));
    const labels = body.map((field: { attributes: { label?: string } }) => field.attributes.label ?? "");
    expect(labels).toEqual(expect.arrayContaining(["sregistry version --json", "The same command with --debug"]));
  });
});
