import type { Call } from "../call.ts";
import {
  addUser,
  checkEmbedded,
  freezeTag,
  listUsers,
  removeUser,
  serve as serveStore,
  type UserEntry,
} from "../client/serve.ts";
import type { Services } from "../client/services.ts";
import type { Context } from "../context.ts";
import { SregistryError } from "../errors.ts";
import { parseReference } from "../reference/parse.ts";
import type { Reference } from "../reference/reference.ts";
import { unknownAction } from "./actions.ts";
import {
  SERVE,
  SERVE_CHECK,
  SERVE_FREEZE,
  SERVE_UNFREEZE,
  SERVE_USER_ADD,
  SERVE_USER_LIST,
  SERVE_USER_REMOVE,
} from "./schemas/serve.ts";
import { type ActionSpec, defineVerb, requireWord } from "./verb.ts";

/** What is done to the store instead of serving it. */
type Action =
  | { readonly kind: "serve" | "user-list" }
  | { readonly kind: "user-add" | "user-remove"; readonly name: string }
  | { readonly kind: "freeze" | "unfreeze"; readonly reference: Reference };

const ANSWERS = {
  serve: SERVE,
  "user-add": SERVE_USER_ADD,
  "user-list": SERVE_USER_LIST,
  "user-remove": SERVE_USER_REMOVE,
  freeze: SERVE_FREEZE,
  unfreeze: SERVE_UNFREEZE,
};

interface Input {
  readonly action: Action;
  readonly listen: string;
  readonly publicRead: boolean;
  readonly tokenFile: string | undefined;
  readonly allowedHosts: readonly string[];
  readonly check: boolean;
  readonly dryRun: boolean;
}

const ACTIONS: readonly ActionSpec[] = [
  { name: "user add", usage: "NAME", description: "add a user; the token is shown only now" },
  { name: "user list", description: "show who may push" },
  { name: "user remove", usage: "NAME", description: "forget a user" },
  { name: "freeze", usage: "NAME:TAG", description: "keep a tag as it is", takes: ["reference"] },
  { name: "unfreeze", usage: "NAME:TAG", description: "let a tag change again", takes: ["reference"] },
];

export const serve = defineVerb<Input>({
  about: "Run the embedded registry over HTTP; or, with an action, see to its users and tags.",
  arguments: [
    {
      name: "[action...]",
      description: "user add NAME, user list, user remove NAME, freeze NAME:TAG, unfreeze NAME:TAG; default: serve",
      actions: ACTIONS,
    },
  ],
  options: [
    {
      flags: "--listen <address>",
      description: "HOST:PORT or PORT; default 127.0.0.1:5000, port 0 takes a free one",
      actions: [],
    },
    {
      flags: "--token-file <file>",
      description: "tokens that may write, one a line; needed beyond loopback",
      actions: [],
    },
    { flags: "--public-read", description: "beyond loopback: anybody may read", actions: [] },
    {
      flags: "--allow-host <name>",
      description: "a further name that this server is called by",
      actions: [],
      repeatable: true,
    },
    {
      flags: "--check",
      description: "find and mend what a crash or a full disk left; do not serve",
      actions: [],
      variable: "SREGISTRY_SERVE_CHECK",
    },
    { flags: "--dry-run", description: "with --check: only say it", actions: [] },
  ],
  examples: [
    { command: "sregistry serve", says: "the embedded registry at http://127.0.0.1:5000" },
    { command: "sregistry serve --listen 0.0.0.0:5000 --token-file tokens --public-read", says: "for a group" },
    { command: "sregistry serve user add alice", says: "prints alice's token, once" },
    { command: "sregistry serve freeze lab/tool:1.0", says: "the tag stays as it is, whoever pushes" },
    { command: "sregistry serve --check", says: "after a crash" },
  ],
  answers: [...Object.values(ANSWERS), SERVE_CHECK],
  answer: ({ action, check }) => (check ? SERVE_CHECK : ANSWERS[action.kind]),
  parse(words, flags) {
    const action = parseAction(words);
    if (flags.typed("check") && action.kind !== "serve") {
      throw new SregistryError("USAGE", `--check does not go with ${JSON.stringify(words.join(" "))}`);
    }
    if (flags.typed("dry-run") && !flags.on("check")) throw new SregistryError("USAGE", "--dry-run goes with --check");
    return {
      action,
      listen: flags.text("listen") ?? "127.0.0.1:5000",
      publicRead: flags.on("public-read"),
      tokenFile: flags.text("token-file"),
      allowedHosts: flags.texts("allow-host"),
      check: flags.on("check") && action.kind === "serve",
      dryRun: flags.on("dry-run"),
    };
  },
  async run(input, context) {
    const [services, call] = await Promise.all([context.services(), context.call()]);
    if (input.check) return check(services, input.dryRun, context, call);
    if (input.action.kind !== "serve") return act(services, input.action, context, call);
    const server = await serveStore(services, input, call);
    if (context.flags.structured) await context.terminal.document({ url: server.url, store: services.store });
    else await context.terminal.line(server.url);
    call.log.info(`serving ${services.store}; Ctrl-C stops`);
    await aborted(call.signal);
    await server.close();
  },
});

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

async function check(services: Services, dryRun: boolean, { flags, terminal }: Context, call: Call): Promise<void> {
  const report = await checkEmbedded(services, !dryRun, call);
  if (flags.structured) await terminal.document({ ...report });
  else for (const problem of report.problems) await terminal.line(problem.message);
  call.log.info(report.summary);
  if (report.remaining === 0) return;
  throw new SregistryError("INTEGRITY", `${report.remaining} problems remain in ${services.store}`, {
    hint: "sregistry serve --check",
  });
}

function parseAction(words: readonly string[]): Action {
  const [first = "", second = ""] = words;
  const used = first === "" ? 0 : first === "user" && second !== "list" ? 3 : 2;
  if (words.length > used) throw unknownAction("serve", words.join(" "), ACTIONS);
  if (first === "") return { kind: "serve" };
  if (first === "freeze" || first === "unfreeze") {
    return { kind: first, reference: parseReference(requireWord(words, 1, "the tag, as NAME:TAG,")) };
  }
  if (first !== "user") throw unknownAction("serve", words.join(" "), ACTIONS);
  if (second === "list") return { kind: "user-list" };
  if (second !== "add" && second !== "remove") throw unknownAction("serve", words.join(" "), ACTIONS);
  return { kind: `user-${second}`, name: requireWord(words, 2, "the user's name") };
}

async function act(services: Services, action: Action, { flags, terminal }: Context, call: Call): Promise<void> {
  switch (action.kind) {
    case "serve":
      return;
    case "user-add": {
      const user = await addUser(services, action.name);
      call.log.info(`the token of ${user.name}, which is shown only now:`);
      return flags.structured ? terminal.document({ user }) : terminal.line(user.token);
    }
    case "user-list": {
      const users = await listUsers(services);
      if (flags.structured) return terminal.document({ users });
      return terminal.table(["USER", "SINCE"], rows(users), "no users yet: sregistry serve user add NAME");
    }
    case "user-remove": {
      const left = await removeUser(services, action.name);
      if (left === 0) call.log.warn("no user is left: on loopback, without --token-file, everybody may do everything");
      return flags.structured ? terminal.document({ removed: action.name }) : terminal.line(action.name);
    }
    case "freeze":
    case "unfreeze": {
      const tag = await freezeTag(services, action.reference, action.kind === "freeze");
      return flags.structured ? terminal.document({ tag, frozen: action.kind === "freeze" }) : terminal.line(tag);
    }
  }
}

async function* rows(users: readonly UserEntry[]): AsyncGenerator<readonly string[]> {
  for (const { name, created } of users) yield [name, created];
}
