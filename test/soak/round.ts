/** One round, carried out: some tries while the network misbehaves, then one that has to succeed. */
import { randomUUID } from "node:crypto";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { createCache } from "../../src/cache/cache.ts";
import { copy } from "../../src/client/copy.ts";
import { type ErrorCode, SregistryError } from "../../src/errors.ts";
import { type Digest, digestOf } from "../../src/reference/digest.ts";
import { parseTag } from "../../src/reference/name.ts";
import type { PlacedReference, Reference } from "../../src/reference/reference.ts";
import type { Registry } from "../../src/registry/registry.ts";
import { downloadToFile } from "../../src/transfer/download.ts";
import { callWith } from "../support/copying.ts";
import { fileOf, imageOf, pushFile, storeImage } from "./images.ts";
import {
  Broken,
  named,
  type Outcome,
  outcomeOf,
  requireBytes,
  requireFile,
  requireNames,
  requireNoLock,
  stored,
  watch,
} from "./invariants.ts";
import { type Client, Place, RETRY, storedName } from "./place.ts";
import type { Plan } from "./plan.ts";
import { killed } from "./processes.ts";

/** The machine may be another. */
const RESOLVE = { architecture: "amd64" };

/** Work that goes on when the round is over: looking for requests that come late. */
export type Linger = (work: () => Promise<void>) => void;

/** How many transfers were made. @throws Broken where an invariant does not hold. */
export async function runRound(plan: Plan, directory: string, linger: Linger): Promise<number> {
  await mkdir(directory);
  const round = new Round(plan, directory, await openPlace(join(directory, "store"), linger), linger);
  const { verb } = plan;
  if (verb === "pull" || verb === "replace" || verb === "contend") await round.pull();
  else if (verb === "get") await round.get();
  else if (verb === "push" || verb === "race") await round.push();
  else if (verb === "copy") await round.copy();
  else await round.killed();
  return round.transfers;
}

async function openPlace(root: string, linger: Linger): Promise<Place> {
  const place = await Place.open(root);
  linger(() => place.close());
  return place;
}

class Round {
  readonly #plan: Plan;
  readonly #directory: string;
  readonly #place: Place;
  readonly #linger: Linger;
  transfers = 0;

  constructor(plan: Plan, directory: string, place: Place, linger: Linger) {
    this.#linger = linger;
    this.#plan = plan;
    this.#directory = directory;
    this.#place = place;
  }

  image(which: string): Buffer {
    return imageOf(this.#plan, which);
  }

  /** Every try is with a client of its own; faults last until the last one, which has to succeed throughout. */
  async #tries<T>(
    work: (client: Client, signal: AbortSignal) => readonly Promise<T>[],
    after: (outcomes: readonly Outcome<T>[]) => Promise<void>,
    others: readonly Place[] = [],
  ): Promise<void> {
    const { tries, stop } = this.#plan;
    for (let left = tries; left >= 0; left -= 1) {
      const stopping = new AbortController();
      const mayStop = left === tries && stop !== undefined;
      const timer = mayStop ? setTimeout(() => stopping.abort(interruption()), stop) : undefined;
      if (left === 0) for (const place of [this.#place, ...others]) place.calm();
      const more: readonly ErrorCode[] = mayStop ? ["INTERRUPTED"] : [];
      const run = async (client: Client) =>
        Promise.all(work(client, stopping.signal).map((one) => outcomeOf(one, more)));
      const outcomes = await this.#place.client(this.#directory, run, others);
      clearTimeout(timer);
      this.transfers += outcomes.length;
      await after(outcomes);
      const failed = outcomes.find(({ error }) => error !== undefined)?.error;
      if (left === 0 && failed !== undefined) throw new Broken("the try without faults fails", { cause: failed });
    }
  }

  async killed(): Promise<void> {
    const bytes = this.image("a");
    if (this.#plan.verb !== "killed push") await storeImage(this.#place, "1", bytes, this.#directory);
    this.transfers += await killed(this.#plan, this.#directory, this.#place, bytes);
  }

  async pull(): Promise<void> {
    const { verb, kind, pullers, parallel } = this.#plan;
    const images = verb === "contend" ? [this.image("a"), this.image("b")] : [this.image("a")];
    for (const [index, bytes] of images.entries()) await storeImage(this.#place, String(index), bytes, this.#directory);
    const old = Buffer.from("another file\n");
    const files = join(this.#directory, "files");
    const target = join(files, "image.sif");
    await mkdir(files);
    if (verb !== "pull") await writeFile(target, old);
    if (this.#plan.abandoned) await writeFile(join(files, `.image.sif.part-0123456789abcdef.${randomUUID()}`), old);
    this.#place.misbehave(this.#plan);
    const one = async (registry: Registry, index: number, signal: AbortSignal) => {
      const call = callWith(signal);
      const image = await registry.resolve(named(this.#place.nameOf(kind, String(index))), RESOLVE, call);
      return await downloadToFile({ registry, image, target, force: verb !== "pull", call, retry: RETRY, parallel });
    };
    await using watcher = watch(target, verb === "pull" ? images : [old, ...images], verb === "pull");
    await this.#tries(
      (client, signal) => {
        const registry = client.registry(kind);
        return images.flatMap((_, index) => Array.from({ length: pullers }, () => one(registry, index, signal)));
      },
      async (outcomes) => {
        await requireNoLock(files);
        for (const { value } of outcomes.filter(isDone)) requireOne(value.digest, images, "what a pull says");
        if (!outcomes.some(isDone)) return;
        if (verb === "contend") return;
        await requireFile(target, images[0] ?? old);
        await requireNames(files, [basename(target)]);
      },
    );
    await requireNames(files, [basename(target)]);
    if (watcher.looks === 0) throw new Broken("nobody watched");
  }

  async get(): Promise<void> {
    const { kind, pullers } = this.#plan;
    const bytes = this.image("a");
    await storeImage(this.#place, "0", bytes, this.#directory);
    const directory = join(this.#directory, "cache");
    const digest = digestOf(bytes);
    this.#place.misbehave(this.#plan);
    await this.#tries(
      (client, signal) => {
        const registry = client.registry(kind);
        return Array.from({ length: pullers }, async () => {
          const call = callWith(signal);
          const image = await registry.resolve(named(this.#place.nameOf(kind, "0")), RESOLVE, call);
          const cache = await createCache({ directory, ownNotes: join(this.#directory, "notes") });
          return await cache.fetch({
            registry,
            image: { ...image, digest: image.digest ?? digest },
            label: "image",
            call,
          });
        });
      },
      async (outcomes) => {
        for (const { value } of outcomes.filter(isDone)) await requireFile(value.path, bytes);
        if (outcomes.some(isDone)) await requireNames(join(directory, "filling"), []);
      },
    );
  }

  async push(): Promise<void> {
    const { verb, kind } = this.#plan;
    const images = verb === "race" ? [this.image("a"), this.image("b")] : [this.image("a")];
    const files = await Promise.all(images.map((bytes, index) => fileOf(this.#directory, `source${index}.sif`, bytes)));
    this.#place.misbehave(this.#plan);
    await this.#tries(
      (client, signal) =>
        files.map((file) =>
          pushFile(client.registry(kind), this.#place.nameOf(kind, "1"), file, this.#directory, signal),
        ),
      async (outcomes) => {
        const found = await stored(this.#place.store, storedName("1"));
        if (found !== undefined) requireOne(digestOf(found), images, "the tag");
        for (const [index, { error }] of outcomes.entries()) {
          if (error !== undefined) continue;
          if (found === undefined) throw new Broken("a push succeeds, and there is no such tag");
          await this.#requireStored(images[index] ?? Buffer.alloc(0));
        }
      },
    );
    const sessions = await readdir(join(this.#directory, "sessions")).catch(() => []);
    if (sessions.length > 0) throw new Broken(`${sessions.length} sessions are left after the last push`);
  }

  async #requireStored(bytes: Buffer): Promise<void> {
    const name = `local://lab/image@${digestOf(bytes)}`;
    const found = await stored(this.#place.store, name);
    if (found === undefined) throw new Broken(`a push succeeds, and there is no ${name}`);
    requireBytes(found, bytes, name);
  }

  async copy(): Promise<void> {
    const { kind, to = "oras", within = false } = this.#plan;
    const bytes = this.image("a");
    await storeImage(this.#place, "0", bytes, this.#directory);
    const other = await openPlace(join(this.#directory, "other"), this.#linger);
    const destination = within ? this.#place : other;
    this.#place.misbehave(this.#plan);
    other.misbehave(this.#plan);
    const source = this.#place.nameOf(kind, "0");
    const name = destination.nameOf(to, "1", "copied/image");
    await this.#tries(
      (client, signal) => {
        const from = client.registry(kind);
        const into = client.registry(to, destination);
        const services = {
          place: async (reference: Reference) => placedOnly(reference),
          open: async ({ path }: PlacedReference) => (path.includes("copied/") ? into : from),
        };
        const input = {
          ...RESOLVE,
          source: named(source),
          destination: named(name),
          anyFile: true,
          allowUnsigned: true,
        };
        return [copy(services, { ...input, tags: [parseTag("1")] }, callWith(signal))];
      },
      async (outcomes) => {
        const found = await stored(destination.store, storedName("1", "copied/image"));
        if (found !== undefined) requireBytes(found, bytes, "the copy");
        if (found === undefined && outcomes.some(isDone)) throw new Broken("a copy succeeds, and there is no such tag");
      },
      [other],
    );
  }
}

function placedOnly(reference: Reference): PlacedReference {
  if (reference.scheme === undefined) throw new Error("a name without a scheme");
  return reference;
}

function isDone<T>(outcome: Outcome<T>): outcome is Extract<Outcome<T>, { readonly error?: undefined }> {
  return outcome.error === undefined;
}

function interruption(): SregistryError {
  return new SregistryError("INTERRUPTED", "interrupted");
}

function requireOne(digest: Digest, images: readonly Buffer[], what: string): void {
  if (!images.some((bytes) => digestOf(bytes) === digest))
    throw new Broken(`${what} is ${digest}, which nobody pushed`);
}
