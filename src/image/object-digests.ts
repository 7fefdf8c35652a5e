/** Digests of objects' contents: each byte is read once, however many signatures speak of it. */
import { createHash, type Hash } from "node:crypto";
import type { SifDescriptor } from "./descriptor.ts";
import { type ImageReader, readExactly } from "./reader.ts";

/** Bytes in memory at a time. */
const BLOCK = 1024 * 1024;

interface Running {
  readonly hash: Hash;
  hex: string;
}

export class ObjectDigests {
  readonly #running = new Map<string, Running>();
  readonly #byObject = new Map<number, Running[]>();

  /** Over the objects' contents, one after the other as they stand in the table; `algorithm` is node:crypto's. */
  want(objects: readonly SifDescriptor[], algorithm: string): () => string {
    const key = `${algorithm} ${objects.map(({ id }) => id).join(" ")}`;
    const known = this.#running.get(key) ?? this.#start(objects, algorithm);
    this.#running.set(key, known);
    return () => known.hex;
  }

  #start(objects: readonly SifDescriptor[], algorithm: string): Running {
    const running = { hash: createHash(algorithm), hex: "" };
    for (const { id } of objects) this.#byObject.set(id, [...(this.#byObject.get(id) ?? []), running]);
    return running;
  }

  async read(reader: ImageReader, objects: readonly SifDescriptor[], signal: AbortSignal | undefined): Promise<void> {
    for (const { id, start, size } of objects) {
      const running = this.#byObject.get(id);
      if (running === undefined) continue;
      for (let at = start; at < start + size; at += BLOCK) {
        signal?.throwIfAborted();
        const block = await readExactly(reader, at, Math.min(at + BLOCK, start + size));
        for (const { hash } of running) hash.update(block);
      }
    }
    for (const running of this.#running.values()) running.hex = running.hash.digest("hex");
  }
}
