/** Questions to a person, on stderr so that stdout stays the answer. Asked only when somebody is there to answer. */
import type { Readable, Writable } from "node:stream";
import { SregistryError } from "../errors.ts";
import { safeText } from "./safe-text.ts";

export interface Prompt {
  /** Somebody is there to answer. */
  readonly possible: boolean;
  /** `flag`: what to use instead where nobody can be asked, e.g. `--force`. @throws USAGE there. */
  confirm(question: string, flag: string): Promise<boolean>;
  text(question: string, flag: string): Promise<string>;
  /** Typed without echo. */
  password(question: string, flag: string): Promise<string>;
}

export interface PromptOptions {
  /** Why nobody can be asked. */
  readonly unasked: string | undefined;
  readonly input: Readable;
  readonly output: Writable;
  readonly signal: AbortSignal;
}

export function createPrompt({ unasked, input, output, signal }: PromptOptions): Prompt {
  const requirePerson = (question: string, flag: string): void => {
    if (unasked === undefined) return;
    throw new SregistryError("USAGE", `cannot ask "${safeText(question)}": ${unasked}`, { hint: `use ${flag}` });
  };
  const ask = async <T>(kind: "input" | "password", question: string, more: object): Promise<T> => {
    const { message, theme } = plainQuestion(question);
    const { default: inquirer } = await import("inquirer");
    const module = inquirer.createPromptModule({
      input: input as NodeJS.ReadStream,
      output: output as NodeJS.WriteStream,
      // Whatever stops the program takes the question away too: one that is left would keep the process waiting for its answer.
      signal,
    });
    const questions = [{ type: kind, name: "answer", message, ...theme, ...more }] as Parameters<typeof module>[0];
    const answers = await stoppable(module(questions), signal);
    return (answers as { answer: T }).answer;
  };
  return {
    possible: unasked === undefined,
    async confirm(question, flag) {
      requirePerson(question, flag);
      for (;;) {
        const answer = (await ask<string>("input", `${safeText(question)} (yes/no)`, {})).trim();
        if (/^(y|yes|n|no)$/i.test(answer)) return /^y/i.test(answer);
        // Asked anew: inquirer's own validation leaves the refused words in the line.
        output.write("Please answer yes or no\n");
      }
    },
    async text(question, flag) {
      requirePerson(question, flag);
      return ask<string>("input", safeText(question), {});
    },
    async password(question, flag) {
      requirePerson(question, flag);
      return ask<string>("password", safeText(question), {});
    },
  };
}

/**
 * The question with nothing before or behind it: Singularity's users know `Access Token: ` by heart. inquirer writes a mark and a
 * blank first, so the first word takes the mark's place.
 */
function plainQuestion(question: string): { readonly message: string; readonly theme: object } {
  const [prefix, ...rest] = question.split(" ");
  const style = { message: (text: string) => text, help: () => "" };
  return { message: rest.join(" "), theme: { theme: { prefix, style } } };
}

/** inquirer rejects with errors of its own: on Ctrl-C, which it takes for itself, and when our signal says so. */
async function stoppable<T>(question: Promise<T>, signal: AbortSignal): Promise<T> {
  try {
    return await question;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    if (error.name === "AbortPromptError") throw signal.reason;
    if (error.name !== "ExitPromptError") throw error;
    throw new SregistryError("INTERRUPTED", "interrupted", { cause: error });
  }
}
