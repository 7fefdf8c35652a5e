/** Logging in to a remote with a token, as Singularity asks for it. */
import { readFile } from "node:fs/promises";
import { loginRemote, tokenOf, tokenPage } from "../client/accounts.ts";
import type { Context } from "../context.ts";
import { SregistryError } from "../errors.ts";
import type { Secret } from "../secret.ts";
import { shellWord } from "../shell-word.ts";
import type { Flags, OptionSpec } from "./verb.ts";

export interface TokenInput {
  readonly stdin: boolean;
  readonly file: string | undefined;
  /** Undefined: as the configuration says. */
  readonly keyring: boolean | undefined;
}

/** Why the switches for secrets have no variables: one left behind would send a secret where another was meant. */
export const SECRET = "which secret goes where is said where it goes";

export const TOKEN_OPTIONS: readonly OptionSpec[] = [
  { flags: "--token-stdin", description: "read the token from standard input", noEnv: SECRET },
  { flags: "--token-file <file>", description: "read the token from a file's first line", noEnv: SECRET },
  {
    flags: "--tokenfile <file>",
    description: "the same, as Singularity calls it",
    hidden: true,
    noEnv: "as --token-file",
  },
  { flags: "--keyring", description: "keep the token in the system's keyring instead of remote.yaml" },
];

export function tokenInput(flags: Flags): TokenInput {
  const stdin = flags.on("token-stdin");
  const file = flags.text("token-file") ?? flags.text("tokenfile");
  if (stdin && file !== undefined) {
    throw new SregistryError("USAGE", "both --token-stdin and --token-file say where the token is");
  }
  return { stdin, file, keyring: flags.on("keyring") ? true : undefined };
}

export interface KeptToken {
  readonly remote: string;
  /** The file, or `the keyring`. */
  readonly stored: string;
}

/** `name` undefined: the active remote. A wrong token is exit 4, and nothing is stored. */
export async function loginToRemote(name: string | undefined, input: TokenInput, context: Context): Promise<KeptToken> {
  const [services, call] = await Promise.all([context.services(), context.call()]);
  const { remote, page } = await tokenPage(services, name);
  const token = await readToken(input, page, context);
  const { path } = await loginRemote(services, { remote, token, keyring: input.keyring }, call);
  call.log.info(`Token stored in ${path}`);
  return { remote, stored: path };
}

async function readToken(input: TokenInput, page: string, context: Context): Promise<Secret> {
  if (input.stdin) return tokenOf(await context.readInput(), "standard input");
  if (input.file !== undefined) return tokenOf(await readTokenFile(input.file), input.file);
  const { log, prompt } = context.terminal;
  if (prompt.possible) {
    log.info(`Generate an access token at ${page}, and paste it here.`);
    log.info("Token entered will be hidden for security.");
  }
  return tokenOf(await prompt.password("Access Token:", "--token-stdin or --token-file FILE"), "the answer");
}

async function readTokenFile(file: string): Promise<string> {
  try {
    return (await readFile(file, "utf8")).split(/\r?\n/, 1)[0] ?? "";
  } catch (cause) {
    throw new SregistryError("USAGE", `--token-file ${file} cannot be read`, {
      hint: `ls -l ${shellWord(file)}`,
      cause,
    });
  }
}
