/** The programmatic API: `import { createClient } from "sregistry"`. No terminal and no process; every call can be stopped. */
import { homedir } from "node:os";
import { type Call, type Log, type Progress, silentLog, silentProgress } from "../call.ts";
import { parseTag } from "../reference/name.ts";
import { parseReference } from "../reference/parse.ts";
import { parsePattern } from "../reference/pattern.ts";
import type { SearchOptions } from "../registry/registry.ts";
import { VERSION } from "../version.ts";
import { type CopyAllInput, type CopyEntry, type CopyInput, type CopyOutcome, copy, copyAll } from "./copy.ts";
import { parseDestination, parseRepository } from "./copy-names.ts";
import { remove } from "./delete.ts";
import { type GetOutcome, get } from "./get.ts";
import { type Inspection, inspect, inspectTarget } from "./inspect.ts";
import { type LabelEntry, type LabelFilter, labels } from "./labels.ts";
import { type ListEntry, list } from "./list.ts";
import { type PullInput, type PullOutcome, pull } from "./pull.ts";
import { type PushInput, type PushOutcome, push } from "./push.ts";
import { type SearchEntry, search } from "./search.ts";
import { createServices, type Environment, type ServiceFlags } from "./services.ts";
import { type TagOutcome, tag } from "./tag.ts";

export interface ClientOptions extends Omit<ServiceFlags, "libraryTyped"> {
  /** Variables that proxies, logins and directories are read from; default none but HOME. */
  readonly env?: Environment;
  /** Relative file names start here. */
  readonly cwd: string;
  readonly log?: Log;
  readonly progress?: Progress;
}

type Options<Input> = Omit<Input, "reference" | "file" | "tags" | "source" | "destination">;

/** Names are given as text, as on the command line. Every failure is a SregistryError. */
export interface Client extends AsyncDisposable {
  pull(reference: string, options?: Options<PullInput>, signal?: AbortSignal): Promise<PullOutcome>;
  push(
    file: string,
    reference: string,
    options?: Options<PushInput> & { readonly tags?: readonly string[] },
    signal?: AbortSignal,
  ): Promise<PushOutcome>;
  list(pattern?: string, signal?: AbortSignal): AsyncIterable<ListEntry>;
  search(query: string, options?: SearchOptions, signal?: AbortSignal): AsyncIterable<SearchEntry>;
  labels(pattern?: string, filter?: LabelFilter, signal?: AbortSignal): AsyncIterable<LabelEntry>;
  inspect(image: string, signal?: AbortSignal): Promise<Inspection>;
  tag(reference: string, tags: readonly string[], signal?: AbortSignal): Promise<TagOutcome>;
  copy(
    source: string,
    destination: string,
    options?: Options<CopyInput> & { readonly tags?: readonly string[] },
    signal?: AbortSignal,
  ): Promise<CopyOutcome>;
  /** Repositories: every tag, or those in `tags`. */
  copyAll(
    source: string,
    destination: string,
    options?: Options<CopyAllInput> & { readonly tags?: readonly string[] },
    signal?: AbortSignal,
  ): AsyncIterable<CopyEntry>;
  delete(reference: string, signal?: AbortSignal): Promise<readonly string[]>;
  get(reference: string, signal?: AbortSignal): Promise<GetOutcome>;
}

export async function createClient(options: ClientOptions): Promise<Client> {
  const { env = {}, cwd, log = silentLog, progress = silentProgress, ...flags } = options;
  const never = new AbortController().signal;
  const services = await createServices({
    env,
    home: env["HOME"] ?? homedir(),
    cwd,
    userAgent: `sregistry/${VERSION}`,
    log,
    flags: { ...flags, libraryTyped: flags.library !== undefined },
    signal: never,
  });
  const call = (signal: AbortSignal = never): Call => ({ signal, progress, log });
  return {
    pull: (name, more = {}, signal) => pull(services, { ...more, reference: parseReference(name) }, call(signal)),
    push: (file, name, { tags, ...more } = {}, signal) => {
      const named = tags === undefined ? {} : { tags: tags.map(parseTag) };
      return push(services, { ...more, ...named, file, reference: parseReference(name) }, call(signal));
    },
    list: (pattern, signal) => list(services, parsePattern(pattern), call(signal)),
    search: (query, more = {}, signal) => search(services, query, {}, more, call(signal)),
    labels: (pattern, filter = {}, signal) => labels(services, parsePattern(pattern), filter, call(signal)),
    inspect: async (image, signal) =>
      inspect(services, await inspectTarget(cwd, image), { objects: true }, call(signal)),
    tag: (name, tags, signal) => tag(services, parseReference(name), tags.map(parseTag), call(signal)),
    copy: async (from, to, { tags = [], ...more } = {}, signal) => {
      const names = { source: parseReference(from), ...parseDestination(to, tags.map(parseTag)) };
      return copy(services, { ...more, ...names }, call(signal));
    },
    copyAll: (from, to, { tags, ...more } = {}, signal) => {
      const names = { source: parseRepository(from), destination: parseRepository(to) };
      const these = tags === undefined ? {} : { tags: tags.map(parseTag) };
      return copyAll(services, { ...more, ...names, ...these }, call(signal));
    },
    delete: (name, signal) => remove(services, parseReference(name), call(signal)),
    get: (name, signal) => get(services, { reference: parseReference(name) }, call(signal)),
    [Symbol.asyncDispose]: () => services[Symbol.asyncDispose](),
  };
}
