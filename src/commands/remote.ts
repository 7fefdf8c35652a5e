import { loginPassword, logoutRemote, remoteStatus } from "../client/accounts.ts";
import { addRemote, listRemotes, removeRemote, useRemote } from "../client/remotes.ts";
import type { Services } from "../client/services.ts";
import type { Context } from "../context.ts";
import { SregistryError } from "../errors.ts";
import { unknownAction } from "./actions.ts";
import { remoteTables, statusTable } from "./remote-text.ts";
import { REMOTE_LOGIN, REMOTE_LOGOUT } from "./schemas/login.ts";
import {
  REMOTE_ADD,
  REMOTE_LIST,
  REMOTE_PASSWORD,
  REMOTE_REMOVE,
  REMOTE_STATUS,
  REMOTE_USE,
} from "./schemas/remote.ts";
import { type KeptToken, loginToRemote, TOKEN_OPTIONS, type TokenInput, tokenInput } from "./token-login.ts";
import { type ActionSpec, defineVerb, type Flags, requireWord } from "./verb.ts";

/** The least and the most words behind each action, and what it answers. */
const ACTIONS = {
  add: { least: 2, most: 2, answer: REMOTE_ADD },
  list: { least: 0, most: 0, answer: REMOTE_LIST },
  use: { least: 1, most: 1, answer: REMOTE_USE },
  remove: { least: 1, most: 1, answer: REMOTE_REMOVE },
  login: { least: 0, most: 1, answer: REMOTE_LOGIN },
  logout: { least: 0, most: 1, answer: REMOTE_LOGOUT },
  status: { least: 0, most: 1, answer: REMOTE_STATUS },
  "get-login-password": { least: 0, most: 0, answer: REMOTE_PASSWORD },
} as const;

type Action = keyof typeof ACTIONS;

interface Input {
  readonly action: Action;
  readonly words: readonly string[];
  readonly insecure: boolean;
  readonly login: boolean;
  readonly makeActive: boolean;
  readonly token: TokenInput;
}

const SPECS: readonly (ActionSpec & { readonly name: Action })[] = [
  { name: "add", usage: "NAME URI", description: "keep a registry under a name of yours" },
  { name: "list", description: "show the remotes, and which is active" },
  { name: "use", usage: "NAME", description: "make a remote the default registry", takes: ["remote"] },
  { name: "remove", usage: "NAME", description: "forget a remote", takes: ["remote"] },
  { name: "login", usage: "[NAME]", description: "check and keep a token", takes: ["remote"] },
  { name: "logout", usage: "[NAME]", description: "forget a token", takes: ["remote"] },
  { name: "status", usage: "[NAME]", description: "say whether it answers, and who is logged in", takes: ["remote"] },
  { name: "get-login-password", description: "print the password of a library's own OCI registry" },
];

export const remote = defineVerb<Input>({
  about:
    "Names of registries, and which of them is the default. Libraries are kept in remote.yaml, which Singularity reads " +
    "too; OCI registries in config.yaml. Without a NAME it is the active remote.",
  arguments: [
    {
      name: "<action>",
      description: Object.keys(ACTIONS).join(", "),
      actions: SPECS,
    },
    { name: "[words...]", description: "a remote's name, for add its address too" },
  ],
  options: [
    { flags: "-i, --insecure", description: "add: plain http", actions: ["add"], noEnv: "it stays in remote.yaml" },
    {
      flags: "--no-login",
      description: "add: do not ask for a token",
      actions: ["add"],
      variable: "SREGISTRY_REMOTE_NO_LOGIN",
    },
    {
      flags: "--use",
      description: "add: make it the default registry at once",
      actions: ["add"],
      variable: "SREGISTRY_REMOTE_USE",
    },
    {
      flags: "-n, --no-default",
      description: "add: leave the active remote as it is",
      hidden: true,
      noEnv: "as it is anyway",
    },
    ...TOKEN_OPTIONS.map((option) => ({ ...option, actions: ["add", "login"] })),
  ],
  examples: [
    { command: "sregistry remote add --insecure --no-login DinosaurCloud 127.0.0.1", says: "a registry without https" },
    { command: "sregistry remote login DinosaurCloud", says: "asks for a token, and verifies it" },
    { command: "sregistry remote add lab oras://ghcr.io/lab", says: "an OCI registry under a name" },
    { command: "sregistry remote use lab", says: "where names without scheme belong from now on" },
    { command: "sregistry remote status", says: "does it answer, and who is logged in" },
  ],
  answers: Object.values(ACTIONS).map(({ answer }) => answer),
  answer: ({ action }) => ACTIONS[action].answer,
  parse(words, flags) {
    const action = requireWord(words, 0, "what to do with remotes");
    if (!isAction(action)) throw unknownAction("remote", action, SPECS);
    return { action, words: checkedWords(action, words.slice(1)), ...options(flags) };
  },
  async run(input, context) {
    const [name = ""] = input.words;
    const services = await context.services();
    const call = await context.call();
    if (["login", "logout", "status"].includes(input.action)) requireLibrary(services, input.action, name);
    switch (input.action) {
      case "add":
        return add(input, context);
      case "list": {
        const remotes = await listRemotes(services, call);
        return context.flags.structured
          ? context.terminal.document({ ...remotes })
          : context.terminal.block(remoteTables(remotes, context.terminal.out.room));
      }
      case "use":
        await useRemote(services, name, call);
        return done(context, { used: name }, `Remote "${name}" now in use.`);
      case "remove": {
        const { registry } = await removeRemote(services, name, call);
        await done(context, { removed: name }, `Remote "${name}" removed.`);
        if (registry === undefined) return;
        call.log.info(`It was the active remote. The default registry is now: ${registry}`);
        return call.log.info("Another one: sregistry remote use NAME");
      }
      case "login": {
        const kept = await loginToRemote(input.words[0], input.token, context);
        return context.flags.structured ? context.terminal.document({ ...kept }) : undefined;
      }
      case "logout": {
        const { remote: from, path } = await logoutRemote(services, input.words[0], call);
        return done(context, { remote: from, removed: path }, "Logout succeeded");
      }
      case "status":
        return status(input.words[0], context);
      case "get-login-password": {
        const password = (await loginPassword(services, call)).reveal();
        return context.flags.structured ? context.terminal.document({ password }) : context.terminal.line(password);
      }
    }
  },
});

/** Of an OCI registry remote.yaml knows nothing. */
function requireLibrary({ config }: Pick<Services, "config">, action: string, name: string): void {
  const uri = config.remotes?.get(name);
  if (uri === undefined) return;
  throw new SregistryError("USAGE", `${name} is an OCI registry, ${uri}, and remote ${action} is for libraries`, {
    hint: action === "status" ? `sregistry list --registry ${name}` : `sregistry ${action} ${name}`,
  });
}

function isAction(word: string): word is Action {
  return word in ACTIONS;
}

function checkedWords(action: Action, words: readonly string[]): readonly string[] {
  const { least, most } = ACTIONS[action];
  if (words.length >= least && words.length <= most && !words.includes("")) return words;
  const command = ["sregistry remote", action, SPECS.find(({ name }) => name === action)?.usage ?? ""].join(" ").trim();
  const takes = most === 0 ? "no word" : `${least === most ? "" : "at most "}${most} word${most === 1 ? "" : "s"}`;
  const are = words.length === 1 ? "is" : "are";
  throw new SregistryError("USAGE", `${command} takes ${takes}, and ${words.length || "none"} ${are} given`, {
    hint: `sregistry help remote ${action}`,
  });
}

function options(flags: Flags): Omit<Input, "action" | "words"> {
  return {
    insecure: flags.on("insecure"),
    login: !flags.on("no-login"),
    makeActive: flags.on("use"),
    token: tokenInput(flags),
  };
}

async function add({ words, insecure, login, makeActive, token }: Input, context: Context): Promise<void> {
  const [name = "", uri = ""] = words;
  const [services, call] = await Promise.all([context.services(), context.call()]);
  const { takesToken } = await addRemote(services, { name, uri, insecure, makeActive }, call);
  call.log.info(`Remote "${name}" added.`);
  const there = context.terminal.prompt.possible || token.stdin || token.file !== undefined;
  const kept = takesToken && login && there ? await loginToAdded(name, token, context) : undefined;
  if (takesToken && login && !there) {
    call.log.info(`Nobody is there to paste a token; log in with: sregistry remote login ${name} --token-stdin`);
  }
  if (context.flags.structured) await context.terminal.document({ added: name, stored: kept?.stored ?? null });
}

/** What fails here leaves a remote that was not there before, so that the same command would fail for another reason. */
async function loginToAdded(name: string, token: TokenInput, context: Context): Promise<KeptToken> {
  try {
    return await loginToRemote(name, token, context);
  } catch (error) {
    if (!(error instanceof SregistryError)) throw error;
    const { code, message, status } = error;
    throw new SregistryError(code, `${message}; the token was not stored, and the remote ${name} was added`, {
      cause: error,
      hint: `sregistry remote login ${name}`,
      ...(status === undefined ? {} : { status }),
    });
  }
}

async function status(name: string | undefined, { services, call, terminal, flags }: Context): Promise<void> {
  const found = await remoteStatus(await services(), name, await call());
  if (flags.structured) await terminal.document({ ...found });
  else await terminal.block(statusTable(found, terminal.out.room));
  if (found.login !== "invalid") return;
  throw new SregistryError("UNAUTHORIZED", "Authentication token is invalid (please login again).", {
    hint: `sregistry remote login ${found.remote}`,
  });
}

/** What was done is said on stderr; a script that wants it as an answer asks for --json. */
async function done(context: Context, document: Record<string, unknown>, words: string): Promise<void> {
  const { log } = await context.call();
  log.info(words);
  if (context.flags.structured) await context.terminal.document(document);
}
