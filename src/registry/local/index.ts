/** The embedded registry: a store on the disk, and the port over it. */
export { checkStore } from "./check.ts";
export { createLocalRegistry, type LocalRegistry } from "./registry.ts";
export { openStore, type Store } from "./store.ts";
