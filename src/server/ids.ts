/**
 * Numbers for names: clients of some protocols name users, collections and containers by number, and the store has none.
 * A number is the beginning of its name's hash, so it is the same after a restart and on another machine.
 */
import { createHash } from "node:crypto";

/** 48 bits, so that JSON holds it exactly; equal ones for two of a million names: one chance in 500. */
export function numericId(name: string): number {
  return createHash("sha256").update(name).digest().readUIntBE(0, 6);
}
