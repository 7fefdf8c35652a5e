import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/soak/soak.ts"],
    hookTimeout: 60_000,
    pool: "forks",
    execArgv: ["--expose-gc"],
    env: { NO_COLOR: "1" },
  },
});
