/** What the executable loads. `--version` alone, which module systems and CI ask often, is answered before all else. */
import { VERSION } from "./version.ts";

if (process.argv.length === 3 && process.argv[2] === "--version") process.stdout.write(`${VERSION}\n`);
else await import("./main.ts");
