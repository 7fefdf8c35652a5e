/** `npm run soak -- --seed N --seconds S --round R`: vitest has no options of ours, so they go by the environment. */
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const env = { ...process.env };
const rest = [];
const words = process.argv.slice(2);
for (let word = words.shift(); word !== undefined; word = words.shift()) {
  const [, name, value] = /^--(seed|seconds|round)(?:=(.*))?$/.exec(word) ?? [];
  if (name === undefined) rest.push(word);
  else env[`SREGISTRY_SOAK_${name.toUpperCase()}`] = value ?? words.shift() ?? "";
}
const vitest = join(dirname(createRequire(import.meta.url).resolve("vitest/package.json")), "vitest.mjs");
const { status } = spawnSync(process.execPath, [vitest, "run", "--config", "vitest.soak.config.ts", ...rest], {
  env,
  stdio: "inherit",
});
process.exitCode = status ?? 1;
