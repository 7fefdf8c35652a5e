/** docs/recipes/github-actions.md and gitlab-ci.md: their jobs, run step by step as a runner runs them. */
import { copyFile, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { bash } from "../support/desk.ts";
import { type NpmRegistry, startNpmRegistry } from "../support/npm-registry.ts";
import { readPage } from "../support/page.ts";
import { FIXTURES, type Run, type Served, User } from "../support/program.ts";
import { type Site, startSite } from "../support/site.ts";

const TINY = join(FIXTURES, "tiny.sif");
const LABEL = "maintainer: vanessasaur";

let npm: NpmRegistry;
let owner: User;
let served: Served;
let site: Site;
let token: string;

beforeAll(async () => {
  owner = await User.create();
  token = (await owner.run(["serve", "user", "add", "vanessa"])).stdout.trim();
  const hosts = ["ghcr.io", "registry.example.org"];
  served = await owner.serve(hosts.flatMap((host) => ["--allow-host", host]));
  site = await startSite(Object.fromEntries(hosts.map((host) => [host, served.url])));
  npm = await startNpmRegistry();
});
afterAll(async () => {
  await npm[Symbol.asyncDispose]();
  await site[Symbol.asyncDispose]();
  await served.stop();
  await owner[Symbol.asyncDispose]();
});

/** A runner's machine: Node and npm, and no sregistry. */
async function runner(): Promise<User> {
  const user = await User.create();
  await mkdir(user.path("bin"));
  await symlink(process.execPath, user.path("bin", "node"));
  return user;
}

function runOn(user: User, script: string, env: Readonly<Record<string, string>>): Promise<Run> {
  // npm puts programs into bin/ of its prefix.
  const all = { CI: "true", npm_config_prefix: user.home, ...npm.env, ...site.env, ...env };
  return bash(user, script, { env: all });
}

const pinnedAt = (name: string) => new RegExp(`^${name.replaceAll(".", "\\.")}@sha256:[0-9a-f]{64}$`);

describe("the workflow of GitHub Actions", () => {
  interface Step {
    readonly id?: string;
    readonly run?: string;
    readonly uses?: string;
    readonly env?: Readonly<Record<string, string>>;
  }
  interface Job {
    readonly outputs?: Readonly<Record<string, string>>;
    readonly steps: readonly Step[];
  }
  const workflow: { readonly env: Record<string, string>; readonly jobs: Record<"push" | "use", Job> } = parse(
    readPage("recipes/github-actions.md").file(".github/workflows/image.yml"),
  );

  /** `${{ NAME }}` by what NAME stands for. */
  const fill = (text: string, known: ReadonlyMap<string, string>): string =>
    text.replace(/\$\{\{ (\S+) \}\}/g, (_, name: string) => {
      const value = known.get(name);
      if (value === undefined) throw new Error(`${name} is not known`);
      return value;
    });

  /** What the job gives to later ones, and what its last step wrote. */
  async function runJob(job: Job, user: User, given: ReadonlyMap<string, string>) {
    const known = new Map(given);
    const files = { GITHUB_OUTPUT: user.path("output"), GITHUB_STEP_SUMMARY: user.path("summary") };
    const filled = (env: Readonly<Record<string, string>> = {}) =>
      Object.fromEntries(Object.entries(env).map(([name, value]) => [name, fill(value, known)]));
    let last = "";
    for (const { id, run, uses, env } of job.steps) {
      if (run === undefined) {
        expect(uses).toMatch(/^actions\/(checkout|setup-node)@v\d+$/);
        continue;
      }
      await writeFile(files.GITHUB_OUTPUT, "");
      const sha = { GITHUB_SHA: "0123456789abcdef0123456789abcdef01234567", GITHUB_REF_NAME: "main" };
      const all = { ...files, ...sha, GITHUB_ACTOR: "vanessa", ...filled(workflow.env), ...filled(env) };
      const ended = await runOn(user, fill(run, known), all);
      expect(ended.status, ended.stderr).toBe(0);
      last = ended.stdout;
      for (const line of (await readFile(files.GITHUB_OUTPUT, "utf8")).trim().split("\n")) {
        const [name, value] = line.split(/=(.*)/s);
        if (id !== undefined && value !== undefined) known.set(`steps.${id}.outputs.${name}`, value);
      }
    }
    return { outputs: filled(job.outputs), last };
  }

  it("pushes with three tags, and pulls by digest in a job that has no login of the first", async () => {
    await using first = await runner();
    await using second = await runner();
    await copyFile(TINY, first.path("tool.sif"));
    const given = new Map([
      ["github.repository", "Vanessa/Dinosaur"],
      ["github.actor", "vanessa"],
      ["secrets.GITHUB_TOKEN", token],
    ]);
    const { outputs } = await runJob(workflow.jobs.push, first, given);
    expect(outputs["pinned"]).toMatch(pinnedAt("oras://ghcr.io/vanessa/dinosaur/tool"));
    expect(await readFile(first.path("summary"), "utf8")).toBe(`Pushed \`${outputs["pinned"]}\`\n`);
    const listed = await owner.run(["list", "local://vanessa/dinosaur/tool"]);
    expect(
      listed.stdout
        .trim()
        .split("\n")
        .map((line) => line.split(":").at(-1)),
    ).toEqual(["0123456789abcdef0123456789abcdef01234567", "latest", "main"]);
    given.set("needs.push.outputs.pinned", outputs["pinned"] ?? "");
    const { last } = await runJob(workflow.jobs.use, second, given);
    expect(last).toContain(LABEL);
    expect(await readFile(second.path("tool.sif"))).toEqual(await readFile(TINY));
    expect((await bash(second, `grep -rl "${token}" . || true`)).stdout).toBe("");
  });
});

describe("the pipeline of GitLab", () => {
  interface Job {
    readonly script: readonly string[];
  }
  const pipeline: { readonly default: { readonly before_script: readonly string[] } } & Record<
    "push-image" | "use-image",
    Job
  > = parse(readPage("recipes/gitlab-ci.md").file(".gitlab-ci.yml"));

  const script = (job: Job) => [...pipeline.default.before_script, ...job.script].join("\n");

  it("pushes with two tags, and pulls by digest in the next stage", async () => {
    await using first = await runner();
    await using second = await runner();
    await copyFile(TINY, first.path("tool.sif"));
    const variables = {
      CI_REGISTRY: "registry.example.org",
      CI_REGISTRY_IMAGE: "registry.example.org/vanessa/stegosaur",
      CI_REGISTRY_USER: "vanessa",
      CI_REGISTRY_PASSWORD: token,
      CI_COMMIT_SHA: "0123456789abcdef0123456789abcdef01234567",
      CI_COMMIT_REF_SLUG: "fix-roar",
    };
    const pushed = await runOn(first, script(pipeline["push-image"]), variables);
    expect(pushed.status, pushed.stderr).toBe(0);
    const [, tool = ""] = (await readFile(first.path("image.env"), "utf8")).trim().split(/^TOOL=/);
    expect(tool).toMatch(pinnedAt("oras://registry.example.org/vanessa/stegosaur/tool"));
    const used = await runOn(second, script(pipeline["use-image"]), { ...variables, TOOL: tool });
    expect(used.status, used.stderr).toBe(0);
    expect(used.stdout).toContain(LABEL);
    expect(await readFile(second.path("tool.sif"))).toEqual(await readFile(TINY));
  });

  it("tries again where that is worth it, and only there", () => {
    expect(pipeline).toMatchObject({ default: { retry: { exit_codes: [75] } } });
  });
});
