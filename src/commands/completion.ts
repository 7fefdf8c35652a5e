import {
  endpointWords,
  loginWords,
  patternWords,
  referenceWords,
  registryWords,
  remoteWords,
  tagWords,
  type Word,
  type WordFinder,
} from "../client/words.ts";
import type { Context } from "../context.ts";
import { SregistryError } from "../errors.ts";
import { unknownAction } from "./actions.ts";
import { bashScript } from "./completion/bash.ts";
import { fishScript } from "./completion/fish.ts";
import { type ProgramModel, programModel } from "./completion/model.ts";
import { zshScript } from "./completion/zsh.ts";
import { type ActionSpec, defineVerb, requireWord } from "./verb.ts";

export const SHELLS: Readonly<Record<string, (program: ProgramModel) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

/** By the kind of word that a script asks for; files are the shells' own affair. */
const FINDERS: Readonly<Record<string, WordFinder>> = {
  reference: referenceWords,
  image: referenceWords,
  pattern: patternWords,
  tag: tagWords,
  remote: remoteWords,
  registry: registryWords,
  login: loginWords,
  endpoint: endpointWords,
};

/** Milliseconds that somebody who has pressed TAB waits for a network. */
const PATIENCE = 150;

/** A shell puts a word on the command line as it is. */
const HARMLESS = /^[\w.+:@/~-]+$/;

type Input =
  | { readonly shell: string }
  | { readonly kind: string; readonly typed: string; readonly line: readonly string[]; readonly patience: number };

const ACTIONS: readonly ActionSpec[] = Object.keys(SHELLS).map((name) => ({
  name,
  description: `the script for ${name}`,
}));

export const completion = defineVerb<Input>({
  arguments: [
    {
      name: "<shell>",
      description: `${Object.keys(SHELLS).join(", ")}; prints the script that completes words with TAB`,
      actions: ACTIONS,
    },
    // What the scripts ask: completion words KIND -- TYPED LINE...
    { name: "[words...]", description: "for the scripts themselves" },
  ],
  options: [
    {
      flags: "--answer-within <ms>",
      description: `how long a registry is waited for after TAB, in milliseconds; default ${PATIENCE}`,
    },
  ],
  examples: [
    { command: 'eval "$(sregistry completion bash)"', says: "in ~/.bashrc" },
    { command: "source <(sregistry completion zsh)", says: "in ~/.zshrc, behind compinit" },
    { command: "sregistry completion fish > ~/.config/fish/completions/sregistry.fish", says: "once" },
  ],
  answers: [],
  parse([shell = "", kind = "", typed = "", ...line], flags) {
    const patience = milliseconds(flags.text("answer-within"));
    if (shell === "words") return { kind, typed, line, patience };
    requireWord([shell], 0, "the shell");
    if (Object.hasOwn(SHELLS, shell)) return { shell };
    throw unknownAction("completion", shell, ACTIONS, "shell");
  },
  async run(input, context) {
    if ("kind" in input) {
      for (const { word, says } of await findWords(input, context))
        await context.terminal.out.write(`${word}\t${says}\n`);
      return;
    }
    const verbs = await Promise.all(
      context.verbs.map(async ({ load, ...entry }) => ({ ...entry, verb: await load() })),
    );
    await context.terminal.out.write(SHELLS[input.shell]?.(programModel(verbs)) ?? "");
  },
});

/** @throws SregistryError USAGE. */
function milliseconds(text: string | undefined): number {
  if (text === undefined) return PATIENCE;
  if (/^\d{1,5}$/.test(text)) return Number(text);
  throw new SregistryError("USAGE", `--answer-within ${JSON.stringify(text)}: expected milliseconds, such as 500`);
}

/** What was found in time. No failure is worth a message in the middle of somebody's command line. */
async function findWords(
  { kind, typed, line, patience }: Extract<Input, { kind: string }>,
  context: Context,
): Promise<readonly Word[]> {
  const found = new Map<string, Word>();
  const finder = FINDERS[kind];
  if (finder === undefined) return [];
  const gather = async (): Promise<void> => {
    const { services, call, late } = await context.briefly(patience);
    const gathering = (async () => {
      for await (const one of finder(services, typed, line, call)) {
        if (one.word.startsWith(typed) && HARMLESS.test(one.word) && !found.has(one.word)) found.set(one.word, one);
      }
    })();
    await Promise.race([gathering, late]);
  };
  await gather().catch(() => undefined);
  return [...found.values()].map(({ word, says }) => ({
    word,
    says: says.replace(/[\u0000-\u001f\u007f-\u009f]/g, ""),
  }));
}
