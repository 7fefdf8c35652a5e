// What the single executable runs: the program, an asset, with what V8 made of it at build time, another one.
// @ts-nocheck Checked types are those of Node 20; this runs on Node 24 alone.
const { getAssetKeys, getRawAsset } = require("node:sea");
const { Script } = require("node:vm");

if (process.argv.length === 3 && process.argv[2] === "--version") {
  process.stdout.write("@version@\n");
} else {
  const source = Buffer.from(getRawAsset("program")).toString("latin1");
  const code = getAssetKeys().includes("code") ? { cachedData: Buffer.from(getRawAsset("code")) } : {};
  const program = { exports: {} };
  new Script(source, { filename: "sregistry", ...code }).runInThisContext()(program.exports, require, program);
  program.exports.start();
}
