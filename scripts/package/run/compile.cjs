// Runs the program through some of its verbs, and writes what V8 has compiled by then: node compile.cjs PROGRAM IMAGE OUT
const { readFileSync, writeFileSync } = require("node:fs");
const v8 = require("node:v8");
const { Script } = require("node:vm");

const [node = "", own = "", program = "", image = "", out = ""] = process.argv;
// V8 accepts code only where it runs with the flags it was made with; the program sets one, but later.
v8.setFlagsFromString = () => undefined;
const script = new Script(readFileSync(program, "latin1"), { filename: "sregistry" });

async function exercise() {
  /** @type {{ exports: { start?: () => Promise<void> } }} */
  const module = { exports: {} };
  script.runInThisContext()(module.exports, require, module);
  for (const words of [["--help"], ["push", "-q", image, "a/b:c"], ["list"], ["pull", "-q", "-o", "x.sif", "a/b:c"]]) {
    process.argv = [node, own, ...words];
    await module.exports.start?.();
    process.removeAllListeners();
  }
  writeFileSync(out, script.createCachedData());
}

void exercise();
