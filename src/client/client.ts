/** The programmatic API: `import { createClient } from "sregistry"`. No terminal and no process; every call can be stopped. */
import { homedir } from "node:os";
import { resolve as resolvePath } from "node:path";
import { type Call, silentLog, silentProgress } from "../call.ts";
import { formatReference } from "../reference/format.ts";
import { parseTag } from "../reference/name.ts";
import { parseReference } from "../reference/parse.ts";
import { type Pattern, parsePattern } from "../reference/pattern.ts";
import type { Tag } from "../reference/reference.ts";
import { VERSION } from "../version.ts";
import { tokenOf } from "./accounts.ts";
import { bcast } from "./bcast.ts";
import { cacheClient, remotesClient, storeClient } from "./client-parts.ts";
import { createCollection } from "./collection.ts";
import { copy, copyAll } from "./copy.ts";
import { parseDestination, parseRepository } from "./copy-names.ts";
import { planRemoval, remove } from "./delete.ts";
import { get } from "./get.ts";
import { inspect, inspectTarget } from "./inspect.ts";
import type {
  Client,
  ClientOptions,
  DescribedEntry,
  PullAllOptions,
  PulledEntry,
  PushOptions,
  RegistryHandle,
  ServeOptions,
} from "./interface.ts";
import { labels } from "./labels.ts";
import { describeOne, list, listAll } from "./list.ts";
import { DEFAULT_COLUMNS, type ListRow, parseSort } from "./list-columns.ts";
import { listRows } from "./list-rows.ts";
import { login, loginHost, logout, passwordOf } from "./login.ts";
import { pull } from "./pull.ts";
import { pullAll } from "./pull-all.ts";
import { type PushInput, planPush, push } from "./push.ts";
import { endpointPattern, search } from "./search.ts";
import { serve } from "./serve.ts";
import { createServices, type Services } from "./services.ts";
import { Session } from "./session.ts";
import { parseNewTag, tag } from "./tag.ts";
import { usage } from "./usage.ts";
import { usagePage } from "./usage-page.ts";

/**
 * Reads the configuration, and opens no connection. Clients share nothing but what is on disk.
 * @throws SregistryError CONFIG_INVALID.
 */
export async function createClient(options: ClientOptions = {}): Promise<Client> {
  const { env = {}, log = silentLog, progress = silentProgress, ...more } = options;
  const { home = env["HOME"] || homedir(), cwd = ".", ...flags } = more;
  const directory = resolvePath(cwd);
  const userAgent = `sregistry/${VERSION}`;
  const session = await Session.open({
    log,
    progress,
    services: (signal) =>
      createServices({
        ...{ env, home, cwd: directory, userAgent, log, signal },
        flags: { ...flags, libraryTyped: flags.library !== undefined },
      }),
  });
  const { store } = await session.run({}, async (services) => services);
  return {
    pull: (name, input = {}) =>
      session.run(input, (services, call) => pull(services, { ...input, reference: parseReference(name) }, call)),
    pullAll: (names, input = {}) => session.run(input, (services, call) => pulledAll(services, names, input, call)),
    push: (file, name, input = {}) =>
      session.run(input, (services, call) => push(services, pushInput(file, name, input), call)),
    planPush: (file, name, input = {}) =>
      session.run(input, async (services) => {
        const { source, metadata, references, ...plan } = await planPush(services, pushInput(file, name, input));
        return { file: plan.file, size: source.size, metadata, references };
      }),
    list: (pattern, input = {}) =>
      session.stream(input, (services, call) => listAll(services, parsePattern(pattern), call)),
    listRows: (pattern, { columns = DEFAULT_COLUMNS, sort, ...input } = {}) =>
      session.stream(input, (services, call) => {
        const order = sort === undefined ? {} : { sort: parseSort(sort) };
        return rowsAlone(listRows(services, { ...input, ...order, pattern: parsePattern(pattern), columns }, call));
      }),
    usage: (pattern, input = {}) =>
      session.run(input, (services, call) => usage(services, parsePattern(pattern), input, call)),
    usagePage: (pattern, input = {}) =>
      session.run(input, async (services, call) =>
        usagePage(await usage(services, parsePattern(pattern), { dates: true }, call), new Date()),
      ),
    describe: (pattern, input = {}) =>
      session.stream(input, (services, call) => described(services, parsePattern(pattern), call)),
    search: (query, { where, ...input } = {}) =>
      session.stream(input, (services, call) => search(services, query, endpointPattern(where), input, call)),
    labels: (pattern, input = {}) =>
      session.stream(input, (services, call) => labels(services, parsePattern(pattern), input, call)),
    inspect: (image, { objects = true, ...input } = {}) =>
      session.run(input, async (services, call) =>
        inspect(services, await inspectTarget(directory, image), { ...input, objects }, call),
      ),
    tag: (name, tags, input = {}) =>
      session.run(input, (services, call) => tag(services, parseReference(name), tags.map(parseNewTag), call)),
    copy: (from, to, { tags = [], ...input } = {}) =>
      session.run(input, (services, call) => {
        const names = { source: parseReference(from), ...parseDestination(to, tags.map(parseTag)) };
        return copy(services, { ...input, ...names }, call);
      }),
    copyAll: (from, to, { tags, ...input } = {}) =>
      session.stream(input, (services, call) => {
        const names = { source: parseRepository(from), destination: parseRepository(to) };
        return copyAll(services, { ...input, ...names, ...parsedTags(tags) }, call);
      }),
    delete: (name, { dryRun = false, ...input } = {}) =>
      session.run(input, (services, call) => (dryRun ? planRemoval : remove)(services, parseReference(name), call)),
    get: (name, input = {}) =>
      session.run(input, (services, call) => get(services, { ...input, reference: parseReference(name) }, call)),
    bcast: (name, destination, { command = ["sregistry"], ...input } = {}) =>
      session.run(input, (services, call) =>
        bcast(services, { ...input, command, destination, reference: parseReference(name) }, call),
      ),
    createCollection: (name, { private: isPrivate = false, where, ...input } = {}) =>
      session.run(input, (services, call) =>
        createCollection(services, { name, private: isPrivate, where: endpointPattern(where) }, call),
      ),
    login: (where, { username, password, ...input }) =>
      session.change(input, async (services, call) => {
        const host = loginHost(services, where);
        return { host, ...(await login(services, { host, username, password: passwordOf(password) }, call)) };
      }),
    logout: (where, input = {}) =>
      session.change(input, async (services, call) => {
        const host = loginHost(services, where);
        return { host, ...(await logout(services, host, call)) };
      }),
    serve: (input = {}) => session.run(input, (services, call) => startServer(session, services, input, call)),
    cache: cacheClient(session),
    remotes: remotesClient(session),
    store: storeClient(session, store),
    close: () => session.close(),
    [Symbol.asyncDispose]: () => session.close(),
  };
}

function parsedTags(tags: readonly string[] | undefined): { readonly tags?: readonly Tag[] } {
  return tags === undefined ? {} : { tags: tags.map(parseTag) };
}

function pushInput(file: string, name: string, { tags, ...input }: PushOptions): PushInput {
  return { ...input, ...parsedTags(tags), file, reference: parseReference(name) };
}

async function pulledAll(
  services: Services,
  names: readonly string[],
  options: PullAllOptions,
  call: Call,
): Promise<readonly PulledEntry[]> {
  const inputs = names.map((name) => ({ ...options, reference: parseReference(name) }));
  const entries: PulledEntry[] = [];
  await pullAll(services, inputs, call, async ({ input, ...ended }) => {
    entries.push({ reference: formatReference(input.reference), ...ended });
  });
  return entries;
}

async function* rowsAlone(rows: ReturnType<typeof listRows>): AsyncGenerator<ListRow> {
  for await (const row of rows) if ("image" in row) yield row.image;
}

async function* described(services: Services, pattern: Pattern, call: Call): AsyncGenerator<DescribedEntry> {
  for await (const entry of list(services, pattern, call)) {
    const description = await describeOne(services, pattern, entry, call);
    if (description !== undefined) yield { ...entry, ...description };
  }
}

async function startServer(
  session: Session,
  services: Services,
  { listen = "127.0.0.1:0", publicRead = false, allowedHosts = [], tokens = [], tokenFile }: ServeOptions,
  call: Call,
): Promise<RegistryHandle> {
  const server = await serve(
    services,
    { listen, publicRead, allowedHosts, tokenFile, tokens: tokens.map((token) => tokenOf(token, "tokens")) },
    call,
  );
  const close = session.keep(() => server.close());
  return { url: server.url, store: services.store, close, [Symbol.asyncDispose]: close };
}
