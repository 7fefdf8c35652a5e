import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: ["test/interop/**"],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    pool: "forks",
    // Most tests wait for processes and sockets: on two cores one worker at a time would leave them idle.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    env: { NO_COLOR: "1" },
  },
});
