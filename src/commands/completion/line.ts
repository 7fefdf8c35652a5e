/** The typed line that a shell hands over with `completion words KIND -- WORD LINE...`, as a command line of our own. */
import { GLOBAL_OPTIONS } from "../globals.ts";

/** The flags that decide who is asked. What the user says about output means nothing to a shell. */
const DECIDING = [
  ...["registry", "library", "protocol", "config", "store", "offline", "plain-http", "no-https", "insecure-tls"],
  ...["ca-file", "trust-realm", "authfile"],
];

const KEPT = GLOBAL_OPTIONS.flatMap(({ flags }) => {
  const names = flags.match(/(?<![\w-])--?[a-zA-Z][\w-]*/g) ?? [];
  const kept = names.some((name) => DECIDING.includes(name.replace(/^--/, "")));
  return kept ? names.map((name) => ({ name, valued: flags.includes("<") })) : [];
});

export function asksForWords(argv: readonly string[]): boolean {
  return argv[0] === "completion" && argv[1] === "words";
}

/**
 * The deciding flags of the line become flags of this run; its other words, the verb first, are handed on.
 * Flags of the verb are left out, though what one takes as a value may look like a word: it is for guesses alone.
 */
export function wordsCommand(argv: readonly string[]): readonly string[] {
  const end = argv.indexOf("--");
  const [typed = "", ...line] = end < 0 ? [] : argv.slice(end + 1);
  const flags: string[] = [];
  const words: string[] = [];
  for (let at = 0; at < line.length; at += 1) {
    const word = line[at] ?? "";
    const known = KEPT.find(({ name }) => name === word || (name.startsWith("--") && word.startsWith(`${name}=`)));
    if (known === undefined) {
      if (!word.startsWith("-")) words.push(word);
      continue;
    }
    flags.push(word);
    if (!known.valued || word !== known.name) continue;
    at += 1;
    const value = line[at];
    // The flag whose value is being completed has none yet.
    if (value === undefined) flags.pop();
    else flags.push(value);
  }
  return ["completion", "words", ...argv.slice(2, 3), ...flags, "--", typed, ...words];
}
