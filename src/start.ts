/** What every form of the program loads first. `--version` alone, which module systems and CI ask often, is answered before all else. */
import { VERSION } from "./version.ts";

export async function start(): Promise<void> {
  if (process.argv.length === 3 && process.argv[2] === "--version") {
    process.stdout.write(`${VERSION}\n`);
    return;
  }
  const { main } = await import("./main.ts");
  await main();
}
