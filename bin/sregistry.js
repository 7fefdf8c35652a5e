#!/usr/bin/env node
// Plain JavaScript that any old Node can parse, so that a too old one gets one polite line instead of a stack trace.
var needed = [20, 18, 1];
var have = process.versions.node.split(".").map(Number);
var difference = have[0] - needed[0] || have[1] - needed[1] || have[2] - needed[2];
if (difference < 0) {
  process.stderr.write(
    "sregistry needs Node " + needed.join(".") + " or newer; this is " + process.versions.node + "\n",
  );
  process.exitCode = 2;
} else {
  import("../dist/start.js")
    .then((program) => program.start())
    .catch((error) => {
      if (error && error.code === "ERR_MODULE_NOT_FOUND" && /dist.start\.js/.test(String(error.message))) {
        process.stderr.write("sregistry is not built yet: run npm run build\n");
      } else {
        process.stderr.write("error: sregistry could not start: " + error + "\n");
      }
      process.exitCode = 1;
    });
}
