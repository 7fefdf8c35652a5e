/** Rounds of processes that get a signal in the middle of a transfer. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Transform } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { slow } from "../support/faults.ts";
import { finished, type Run, User } from "../support/program.ts";
import {
  Broken,
  EXPECTED_STATUSES,
  requireBytes,
  requireFile,
  requireNames,
  stored,
  watch,
  within,
} from "./invariants.ts";
import { type Place, storedName } from "./place.ts";
import type { Kill, Plan } from "./plan.ts";

/** Seconds that a transfer takes, so that signals come in the middle. */
const DURATION = 0.8;

/** How many transfers were begun. */
export async function killed(plan: Plan, directory: string, place: Place, bytes: Buffer): Promise<number> {
  await using user = await User.create();
  const files = join(directory, "files");
  const target = join(files, "image.sif");
  const name = place.nameOf(plan.kind, "1");
  await mkdir(files);
  const isPush = plan.verb === "killed push";
  if (isPush) await writeFile(join(directory, "source.sif"), bytes);
  const words = {
    "killed pull": ["pull", "-o", target, name],
    "killed get": ["get", name],
    "killed push": ["push", "--any-file", "-U", join(directory, "source.sif"), name],
  }[plan.verb as "killed pull"];
  place.misbehave(plan);
  const rate = Math.max(1024 * 1024, plan.size / DURATION);
  place.faults.on({ method: "GET", path: /\/blobs\/|\/v1\/imagefile\// }, slow(rate));
  place.faults.on({ path: /\/uploads\/|_upload/ }, (exchange) => exchange.forward({ requestBody: slowly(rate) }));
  await using _watcher = watch(target, [bytes], true);

  const check = async ({ status, stdout, stderr }: Run, kill?: Kill): Promise<void> => {
    if (status === 0) {
      if (isPush) await requirePushed(place, bytes);
      else await requireFile(plan.verb === "killed get" ? stdout.trim() : target, bytes);
      return;
    }
    const allowed: readonly unknown[] = [...EXPECTED_STATUSES, ...(kill === undefined ? [] : [kill.signal, 130, 143])];
    if (!allowed.includes(status)) throw new Broken(`a process ends with ${status}: ${stderr}`);
  };
  let transfers = 0;
  for (const kill of plan.kills) {
    const children = Array.from({ length: plan.pullers }, () => user.start(words));
    transfers += children.length;
    const runs = children.map((child) => finished(child));
    await sleep(kill.after);
    children[0]?.kill(kill.signal);
    for (const [index, run] of runs.entries()) {
      await check(await within(90_000, "a process does not end", run), index === 0 ? kill : undefined);
    }
    const found = isPush ? await stored(place.store, storedName("1")) : undefined;
    if (found !== undefined) requireBytes(found, bytes, "the tag");
  }
  place.calm();
  const last = await within(90_000, "a process does not end", user.run(words));
  if (last.status !== 0) throw new Broken(`the try without faults ends with ${last.status}: ${last.stderr}`);
  await check(last);
  await requireNames(files, plan.verb === "killed pull" ? ["image.sif"] : []);
  if (plan.verb === "killed get") await requireNames(join(user.home, ".cache", "sregistry", "filling"), []);
  return transfers + 1;
}

async function requirePushed(place: Place, bytes: Buffer): Promise<void> {
  const found = await stored(place.store, storedName("1"));
  if (found === undefined) throw new Broken("a push exits with 0, and there is no such tag");
  requireBytes(found, bytes, "the tag");
}

function slowly(rate: number): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      setTimeout(() => done(null, chunk), (chunk.length / rate) * 1000);
    },
  });
}
