/** Chance that can be had again: the same words give the same draws, on every machine. */
import { createCipheriv, createHash } from "node:crypto";

export interface Dice {
  /** A whole number from `least` up to and with `most`. */
  whole(least: number, most: number): number;
  chance(probability: number): boolean;
  pick<T>(choices: readonly T[]): T;
}

export function dice(...words: readonly (string | number)[]): Dice {
  const seed = words.join("/");
  let draws = 0;
  /** 0 <= value < 1. */
  const next = (): number => {
    draws += 1;
    return createHash("sha256").update(`${seed}#${draws}`).digest().readUInt32BE(0) / 2 ** 32;
  };
  return {
    whole: (least, most) => least + Math.floor(next() * (most - least + 1)),
    chance: (probability) => next() < probability,
    pick<T>(choices: readonly T[]): T {
      const choice = choices[Math.floor(next() * choices.length)];
      if (choice === undefined) throw new Error("nothing to choose from");
      return choice;
    },
  };
}

/** `size` bytes that no other words give. */
export function bytesOf(size: number, ...words: readonly (string | number)[]): Buffer {
  const key = createHash("sha256").update(words.join("/")).digest();
  return createCipheriv("aes-128-ctr", key.subarray(0, 16), key.subarray(16)).update(Buffer.alloc(size));
}
