import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SregistryError } from "../../src/errors.ts";
import { digestOf } from "../../src/reference/digest.ts";
import {
  type Answer,
  decodeAnswers,
  decodeErrand,
  type Errand,
  encodeAnswer,
  encodeErrand,
} from "../../src/slurm/errand.ts";
import { expandHostlist } from "../../src/slurm/hostlist.ts";
import { currentJob, stepEnvironment } from "../../src/slurm/job.ts";
import { runErrand } from "../../src/slurm/on-node.ts";
import { ownerWords } from "../../src/transfer/owner.ts";

describe("a list of nodes", () => {
  it.each([
    ["n1", ["n1"]],
    ["n[1-3]", ["n1", "n2", "n3"]],
    ["n[08-11,20],login-a", ["n08", "n09", "n10", "n11", "n20", "login-a"]],
    ["r[1-2]n[1-2]", ["r1n1", "r1n2", "r2n1", "r2n2"]],
    ["a[1]b,c[2-3]-ib", ["a1b", "c2-ib", "c3-ib"]],
    ["", []],
  ])("%s", (text, names) => {
    expect(expandHostlist(text)).toEqual(names);
  });

  it.each(["n[1-", "n[]", "n[3-1]", "n[1-999999999]", "a,,b", "a,", "n[a-b]", "n 1", "n[1-3", "[1-400][1-400][1-400]"])(
    "%s is refused, at once",
    (text) => {
      expect(() => expandHostlist(text)).toThrow(/SLURM_JOB_NODELIST is .*: no list of nodes/);
    },
  );

  it("is names or a refusal, whatever comes", () => {
    const parts = fc.constantFrom("n", "[", "]", "-", ",", "1", "07", "x", " ", "\n", "[1-3]");
    fc.assert(
      fc.property(
        fc.array(parts, { maxLength: 30 }).map((all) => all.join("")),
        (text) => {
          try {
            for (const name of expandHostlist(text)) expect(name).toMatch(/^[A-Za-z0-9._-]+$/);
          } catch (error) {
            expect(error).toMatchObject({ code: "USAGE" });
          }
        },
      ),
    );
  });
});

describe("the job of this process", () => {
  const env = { SLURM_JOB_ID: "4711", SLURM_JOB_NODELIST: "n[1-2]", SLURM_PROCID: "0" };

  it("is what Slurm's environment says", () => {
    expect(currentJob(env)).toEqual({ id: "4711", nodes: ["n1", "n2"] });
    expect(currentJob({ ...env, SLURM_STEP_NUM_TASKS: "1" })).toEqual({ id: "4711", nodes: ["n1", "n2"] });
    expect(currentJob({ SLURM_JOB_ID: "" })).toBeUndefined();
  });

  it("is refused where every rank would do what is done once", () => {
    expect(() => currentJob({ ...env, SLURM_STEP_NUM_TASKS: "32", SLURM_PROCID: "7" })).toThrow(
      "this is rank 7 of 32: bcast is run once a job",
    );
  });

  it("lends its steps nothing but itself", () => {
    const wishes = { SLURM_NTASKS: "32", SLURM_CPU_BIND: "quiet", SLURM_EXPORT_ENV: "NONE", SRUN_DEBUG: "3" };
    const kept = { SLURM_CONF: "/etc/slurm.conf", SLURM_JOB_ID: "4711", PATH: "/bin" };
    expect(stepEnvironment({ ...wishes, ...kept })).toEqual(kept);
  });

  it("is what others are told who wait for it", () => {
    const owner = { id: "x", host: "login1", pid: 12, start: undefined, place: undefined };
    expect(ownerWords(owner)).toBe("process 12 on login1");
    expect(ownerWords({ ...owner, job: "4711", node: "n12" })).toBe("job 4711 on node n12");
    expect(ownerWords({ ...owner, job: "4711" })).toBe("job 4711 on node login1");
  });
});

const IMAGE = Buffer.from("an image, as far as bytes matter");
const never = new AbortController().signal;
let directory: string;
let errand: Errand;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "sregistry-slurm-"));
  errand = {
    step: "look",
    target: join(directory, "image.sif"),
    temporary: join(directory, ".image.sif.part-x.job4711"),
    digest: digestOf(IMAGE),
    size: IMAGE.length,
    force: false,
  };
});
afterEach(() => rm(directory, { recursive: true }));

const doing = (step: Errand["step"], more: Partial<Errand> = {}) => runErrand({ ...errand, ...more, step }, never);
const names = () => readdir(directory);

describe("an errand", () => {
  it("goes to a node and comes back in one line", () => {
    const failure = new SregistryError("DISK", "full\nof \u202e things", { hint: "df -h /local" });
    const answers: readonly Answer[] = [
      { node: "n1", outcome: "missing" },
      { node: "n2", outcome: failure },
    ];
    expect(decodeErrand(encodeErrand(errand))).toEqual({ ...errand, source: undefined });
    const noise = ["Welcome to n1", "{not ours}", '{"node":7}', "{}", '"node"'];
    const text = [...noise, ...answers.map(encodeAnswer), ""].join("\n");
    expect(decodeAnswers(text)).toEqual(answers);
    expect(decodeAnswers(text)[1]?.outcome).toMatchObject({
      code: "DISK",
      message: failure.message,
      hint: failure.hint,
    });
  });

  it.each(["", "{", "[]", '{"step":"boot"}', '{"step":"look","target":1}'])("is refused as %s", (text) => {
    expect(() => decodeErrand(text)).toThrow(/^this is for the program itself, on the nodes of a job: /);
  });

  it("looks: missing, right, something else", async () => {
    expect(await doing("look")).toBe("missing");
    await writeFile(errand.target, IMAGE);
    expect(await doing("look")).toBe("right");
    await writeFile(errand.target, "something else");
    await expect(doing("look")).rejects.toMatchObject({ code: "CONFLICT" });
    expect(await doing("look", { force: true })).toBe("missing");
    expect(await names()).toEqual(["image.sif"]);
  });

  it("looks: no directory, no room", async () => {
    const target = join(directory, "none", "image.sif");
    await expect(doing("look", { target })).rejects.toMatchObject({
      code: "USAGE",
      hint: `mkdir -p ${join(directory, "none")}`,
    });
    await expect(doing("look", { size: 2 ** 52 })).rejects.toMatchObject({
      code: "DISK",
      message: expect.stringMatching(/ has room for \d+ bytes; 4503599627370496 are needed$/),
    });
  });

  it("gives what has arrived its name, and the mode of a file that is run", async () => {
    await writeFile(errand.temporary, IMAGE, { mode: 0o555 });
    await chmod(errand.temporary, 0o400);
    expect(await doing("place")).toBe("placed");
    expect(await names()).toEqual(["image.sif"]);
    expect(await readFile(errand.target)).toEqual(IMAGE);
    await writeFile(join(directory, "other"), "", { mode: 0o777 });
    expect((await stat(errand.target)).mode).toBe((await stat(join(directory, "other"))).mode);
  });

  it("a copy with a wrong byte, or too short, never gets the name", async () => {
    for (const [bytes, words] of [
      [Buffer.from(IMAGE.toString().replace("b", "B")), /has the digest sha256:[0-9a-f]{64}; sha256:/],
      [IMAGE.subarray(1), /has 31 bytes; 32 are expected/],
    ] as const) {
      await writeFile(errand.temporary, bytes);
      await expect(doing("place")).rejects.toMatchObject({ code: "INTEGRITY", message: expect.stringMatching(words) });
      expect(await names()).toEqual([]);
    }
    await expect(doing("place")).rejects.toMatchObject({
      code: "INTEGRITY",
      message: `no copy has arrived for ${errand.target}`,
    });
  });

  it("something that came under the name meanwhile is not overwritten, and with --force it is", async () => {
    await writeFile(errand.target, "mine");
    await writeFile(errand.temporary, IMAGE);
    await expect(doing("place")).rejects.toMatchObject({ code: "CONFLICT" });
    expect(await readFile(errand.target, "utf8")).toBe("mine");
    await writeFile(errand.temporary, IMAGE);
    expect(await doing("place", { force: true })).toBe("placed");
    expect(await readFile(errand.target)).toEqual(IMAGE);
    expect(await names()).toEqual(["image.sif"]);
  });

  it("on a directory that nodes share, each of them says that it is there", async () => {
    for (const force of [false, true]) {
      await rm(errand.target, { force: true });
      await writeFile(errand.temporary, IMAGE);
      const states = await Promise.all(Array.from({ length: 8 }, () => doing("place", { force })));
      expect(states).toContain("placed");
      expect(states.filter((state) => state !== "placed" && state !== "right")).toEqual([]);
      expect(await names()).toEqual(["image.sif"]);
    }
    await rm(errand.target);
    await writeFile(join(directory, "entry"), IMAGE);
    const source = join(directory, "entry");
    const states = await Promise.all(Array.from({ length: 8 }, () => doing("copy", { source })));
    expect(states).toContain("placed");
    expect(await names()).toEqual(["entry", "image.sif"]);
  });

  it("copies by itself, over what sbcast left half done", async () => {
    await writeFile(errand.temporary, IMAGE.subarray(5));
    await writeFile(join(directory, "entry"), IMAGE, { mode: 0o444 });
    expect(await doing("copy", { source: join(directory, "entry") })).toBe("placed");
    expect(await doing("copy", { source: join(directory, "entry") })).toBe("right");
    expect(await names()).toEqual(["entry", "image.sif"]);
    await rm(errand.target);
    await expect(doing("copy", { source: "/nowhere/entry" })).rejects.toMatchObject({
      code: "DISK",
      message: expect.stringContaining("/nowhere/entry cannot be read"),
    });
    expect(await names()).toEqual(["entry"]);
  });
});
