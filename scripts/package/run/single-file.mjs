#!/usr/bin/env node
// sregistry @version@ in one file. Licences of what is in it: at its end.
// This part is for any Node from 12 on, so that a too old one gets one polite line instead of a stack trace.
// @ts-nocheck Checked types are those of Node 20; and PROGRAM is put in by scripts/package/single-file.js.
import { mkdirSync, statSync } from "fs";
import module from "module";
import { homedir } from "os";
import { dirname, isAbsolute, join } from "path";
import { fileURLToPath } from "url";

const needed = "@needed@";
const [major, minor, patch] = needed.split(".").map(Number);
const have = process.versions.node.split(".").map(Number);
const difference = have[0] - major || have[1] - minor || have[2] - patch;

/** Nobody else can put something there. */
function ownAlone(directory) {
  const { uid, mode } = statSync(directory);
  return uid === process.getuid() && (mode & 0o022) === 0;
}

/** Node 22 and newer keep what they compiled, and run it: not below /tmp, which is their choice, nor where others may write. */
function keepCompiled() {
  if (module.enableCompileCache === undefined || process.env.NODE_COMPILE_CACHE !== undefined) return;
  const { XDG_CACHE_HOME: set } = process.env;
  try {
    const directory = join(set && isAbsolute(set) ? set : join(homedir(), ".cache"), "sregistry", "compiled");
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    if (ownAlone(dirname(directory)) && ownAlone(directory)) module.enableCompileCache(directory);
  } catch {
    // A home that cannot be written, or none at all: it starts a little more slowly.
  }
}

if (difference < 0) {
  process.stderr.write(`sregistry needs Node ${needed} or newer; this is ${process.versions.node}\n`);
  process.exitCode = 2;
} else if (process.argv.length === 3 && process.argv[2] === "--version") {
  process.stdout.write("@version@\n");
} else {
  keepCompiled();
  const program = new module.Module(fileURLToPath(import.meta.url));
  program._compile(PROGRAM, program.id);
  program.exports.start();
}
