/** What `createClient` gives, and takes: names as text, as on the command line; typed outcomes. */
import type { Log, Progress } from "../call.ts";
import type { SregistryError } from "../errors.ts";
import type { RemoteStatus } from "./accounts.ts";
import type { BcastInput, BcastOutcome } from "./bcast.ts";
import type { CacheCheck, CacheListing, Pruned, PruneLimits } from "./cache-care.ts";
import type { CopyEntry, CopyOptions, CopyOutcome } from "./copy.ts";
import type { DeleteOutcome } from "./delete.ts";
import type { GetInput, GetOutcome } from "./get.ts";
import type { Inspection } from "./inspect.ts";
import type { LabelEntry, LabelFilter } from "./labels.ts";
import type { Description, EmptyCollection, ListEntry } from "./list.ts";
import type { ListColumn, ListRow } from "./list-columns.ts";
import type { PullInput, PullOutcome } from "./pull.ts";
import type { PushInput, PushOutcome, PushPlan } from "./push.ts";
import type { RemoteList } from "./remotes.ts";
import type { SearchEntry, SearchOptions } from "./search.ts";
import type { CheckReport, NewUser, ServeInput, UserEntry } from "./serve.ts";
import type { Environment, ServiceFlags } from "./services.ts";
import type { CallOptions } from "./session.ts";
import type { TagOutcome } from "./tag.ts";
import type { Usage } from "./usage.ts";

export interface ClientOptions extends Omit<ServiceFlags, "libraryTyped"> {
  /** Variables that proxies, logins and directories are read from; default none. A program of your own gives `process.env`. */
  readonly env?: Environment;
  /** Configuration, logins, cache and store are below it; default `HOME` of `env`, else that of the system's user. */
  readonly home?: string;
  /** Relative file names start here; default the process's current directory. */
  readonly cwd?: string;
  /** The story, line by line; default nobody is told. */
  readonly log?: Log;
  /** Told of every transfer, unless the call has its own. */
  readonly progress?: Progress;
}

type Named = "reference" | "file" | "tags";

export interface PullOptions extends Omit<PullInput, Named>, CallOptions {}

/** For several, each of which has a file name of its own. */
export interface PullAllOptions extends Omit<PullOptions, "output"> {}

/** How one of several pulls ended. */
export type PulledEntry =
  | { readonly reference: string; readonly outcome: PullOutcome; readonly failed: undefined }
  | { readonly reference: string; readonly outcome: undefined; readonly failed: SregistryError };

export interface PushOptions extends Omit<PushInput, Named>, CallOptions {
  /** Every tag to set instead of the reference's own. */
  readonly tags?: readonly string[];
}

/** What a push would do. */
export interface PlannedPush extends Pick<PushPlan, "file" | "metadata" | "references"> {
  /** Bytes. */
  readonly size: number;
}

export interface RowOptions extends CallOptions {
  /** Default: name, size, arch, created, digest. */
  readonly columns?: readonly ListColumn[];
  /** A column, with `-` before it the other way round: `-size` is the largest first. */
  readonly sort?: string;
  /** Rows; nothing is asked for more. */
  readonly limit?: number;
}

export interface UsageOptions extends CallOptions {
  /** Find out when each was created too, at the cost of a request for each. */
  readonly dates?: boolean;
}

/** An image of a list, and what it says of itself. */
export interface DescribedEntry extends ListEntry, Description {}

export interface SearchCallOptions extends SearchOptions, CallOptions {
  /** An endpoint: `library://`, `library://HOST`, `oras://HOST`; default the default registry. */
  readonly where?: string;
}

export interface LabelOptions extends LabelFilter, CallOptions {}

export interface InspectCallOptions extends CallOptions {
  readonly architecture?: string;
  /** Read the SIF's own objects and signatures too; default true. Without, an endpoint's copy of the metadata will do. */
  readonly objects?: boolean;
}

export interface CopyCallOptions extends CopyOptions, CallOptions {
  /** For one image: tags to set besides the destination's own. For all: these alone. */
  readonly tags?: readonly string[];
}

export interface GetOptions extends Omit<GetInput, Named>, CallOptions {}

export interface BcastOptions extends Omit<BcastInput, Named | "destination" | "command">, CallOptions {
  /** This program on the nodes: what to run, and its first words; default `sregistry`, looked up in PATH there. */
  readonly command?: readonly string[];
}

export interface DeleteOptions extends CallOptions {
  /** Say what would go. */
  readonly dryRun?: boolean;
}

export interface CollectionOptions extends CallOptions {
  readonly private?: boolean;
  /** An endpoint, as for `search`. */
  readonly where?: string;
}

export interface LoginOptions extends CallOptions {
  readonly username: string;
  /** A password, or a token where the registry takes one for it. */
  readonly password: string;
}

export interface LoginOutcome {
  readonly host: string;
  /** The file that keeps the login. */
  readonly path: string;
  /** Whose the token is, where the server says so and any user name goes with it. */
  readonly owner: string | undefined;
}

export interface RemoteAddOptions extends CallOptions {
  /** Plain http. */
  readonly insecure?: boolean;
  /** Make it the active one. */
  readonly use?: boolean;
}

export interface RemoteLoginOptions extends CallOptions {
  readonly token: string;
  /** Keep it in the system's keyring instead of remote.yaml; default as the configuration says. */
  readonly keyring?: boolean;
}

export interface ServeOptions extends Partial<Omit<ServeInput, "tokens" | "tokenFile">>, CallOptions {
  /** Who may write; needed beyond loopback. */
  readonly tokens?: readonly string[];
  /** The same, one a line. */
  readonly tokenFile?: string;
}

/** A running registry. It ends with the client, or with `close`. */
export interface RegistryHandle extends AsyncDisposable {
  readonly url: string;
  /** Directory of the store behind it. */
  readonly store: string;
  /** Takes no new request, and waits some seconds for those that are running. */
  close(): Promise<void>;
}

/** The image cache. */
export interface CacheClient {
  /** Its directory. */
  path(options?: CallOptions): Promise<string>;
  list(options?: CallOptions): Promise<CacheListing>;
  /** Hashes everything; what is damaged is told, and removed. */
  verify(options?: CallOptions): Promise<CacheCheck>;
  /** Removes what was not used for long. */
  prune(options?: PruneLimits & CallOptions): Promise<Pruned>;
  /** Removes everything but what is being fetched at this moment. */
  clean(options?: CallOptions): Promise<Pruned>;
}

/** The endpoints in remote.yaml, and OCI registries under a name. */
export interface RemotesClient {
  list(options?: CallOptions): Promise<RemoteList>;
  /** `takesToken`: it is one that `login` is for. @throws SregistryError CONFLICT for a name that is taken. */
  add(name: string, uri: string, options?: RemoteAddOptions): Promise<{ readonly takesToken: boolean }>;
  /** Names without scheme belong there from now on. */
  use(name: string, options?: CallOptions): Promise<void>;
  /** `registry`: the default registry now, where it was this one. @throws SregistryError NOT_FOUND. */
  remove(name: string, options?: CallOptions): Promise<{ readonly registry: string | undefined }>;
  /** Does it answer, and who is logged in. Default: the active one. */
  status(name?: string, options?: CallOptions): Promise<RemoteStatus>;
  /** Where a person makes a token. */
  tokenPage(name?: string, options?: CallOptions): Promise<{ readonly remote: string; readonly page: string }>;
  /** Checks and keeps a token. @throws SregistryError UNAUTHORIZED for a wrong one, which is not kept. */
  login(
    name: string | undefined,
    options: RemoteLoginOptions,
  ): Promise<{ readonly remote: string; readonly path: string }>;
  logout(name?: string, options?: CallOptions): Promise<{ readonly remote: string; readonly path: string }>;
  /** The password of the active remote's own OCI registry. */
  loginPassword(options?: CallOptions): Promise<string>;
}

/** The embedded registry besides serving it. */
export interface StoreClient {
  /** Its directory. */
  readonly path: string;
  /** Finds what a crash or a full disk left, and mends it unless `repair` is false. */
  check(options?: CallOptions & { readonly repair?: boolean }): Promise<CheckReport>;
  /** Keeps a tag as it is, whoever pushes. @returns its name in the store. */
  freeze(reference: string, options?: CallOptions): Promise<string>;
  unfreeze(reference: string, options?: CallOptions): Promise<string>;
  users(options?: CallOptions): Promise<readonly UserEntry[]>;
  /** The token is given only now. */
  addUser(name: string, options?: CallOptions): Promise<NewUser>;
  /** @returns how many users are left. */
  removeUser(name: string, options?: CallOptions): Promise<number>;
}

/**
 * Every failure is a SregistryError, but for a call that its signal stopped: that one fails with the signal's reason. What is
 * an AsyncIterable asks nothing before its first item is wanted.
 */
export interface Client extends AsyncDisposable {
  /** To a file, verified and resumable. @throws SregistryError NOT_FOUND, CONFLICT for a file with other contents, INTEGRITY, ... */
  pull(reference: string, options?: PullOptions): Promise<PullOutcome>;
  /**
   * Several, a few at a time; in their order. One that fails does not stop the others.
   * @throws SregistryError USAGE, before anything is fetched, when two would be one file.
   */
  pullAll(references: readonly string[], options?: PullAllOptions): Promise<readonly PulledEntry[]>;
  /** Sends a file and sets its tags. @throws SregistryError IMAGE_INVALID for what is no SIF. */
  push(file: string, reference: string, options?: PushOptions): Promise<PushOutcome>;
  /** What `push` would do; no request is made but to find out where names without scheme belong. */
  planPush(file: string, reference: string, options?: PushOptions): Promise<PlannedPush>;
  /** `dinosaur`, `/avocado`, `dinosaur/avocado[:tag]`, `oras://HOST[/PATH]`; default everything at the default registry. */
  list(pattern?: string, options?: CallOptions): AsyncGenerator<ListEntry | EmptyCollection>;
  /** The images of `list`, each with what is asked of it. One that cannot be read is warned about, and has null there. */
  listRows(pattern?: string, options?: RowOptions): AsyncGenerator<ListRow>;
  /** What the images take, by collection and container: each is counted once, whatever its tags. */
  usage(pattern?: string, options?: UsageOptions): Promise<Usage>;
  /** The same as a page for a browser: HTML in one file, with a treemap. */
  usagePage(pattern?: string, options?: CallOptions): Promise<string>;
  /** The images of `list`, each with its size, digest and metadata. One that is damaged is warned about and left out. */
  describe(pattern?: string, options?: CallOptions): AsyncGenerator<DescribedEntry>;
  search(query: string, options?: SearchCallOptions): AsyncGenerator<SearchEntry>;
  labels(pattern?: string, options?: LabelOptions): AsyncGenerator<LabelEntry>;
  /** A file, or a reference, which is read by ranges and not downloaded. */
  inspect(image: string, options?: InspectCallOptions): Promise<Inspection>;
  /** More tags for an image that is there. */
  tag(reference: string, tags: readonly string[], options?: CallOptions): Promise<TagOutcome>;
  copy(source: string, destination: string, options?: CopyCallOptions): Promise<CopyOutcome>;
  /** Repositories: every tag, or those in `tags`. A tag that fails is told, and does not stop the others. */
  copyAll(source: string, destination: string, options?: CopyCallOptions): AsyncGenerator<CopyEntry>;
  /** A tag, or by digest the image with all its tags. */
  delete(reference: string, options?: DeleteOptions): Promise<DeleteOutcome>;
  /** The path of an image in the cache, fetched if need be. */
  get(reference: string, options?: GetOptions): Promise<GetOutcome>;
  /** To the same path on every node of the Slurm job in `env`; outside a job a pull. */
  bcast(reference: string, destination: string, options?: BcastOptions): Promise<BcastOutcome>;
  createCollection(
    name: string,
    options?: CollectionOptions,
  ): Promise<{ readonly name: string; readonly private: boolean }>;
  /** For a registry's host; proven there before it is kept. @throws SregistryError UNAUTHORIZED. */
  login(host: string, options: LoginOptions): Promise<LoginOutcome>;
  logout(host: string, options?: CallOptions): Promise<{ readonly host: string; readonly path: string }>;
  /** The embedded registry over HTTP; by default on a free port of loopback. */
  serve(options?: ServeOptions): Promise<RegistryHandle>;
  readonly cache: CacheClient;
  readonly remotes: RemotesClient;
  readonly store: StoreClient;
  /** Stops what is running and closes every connection. `await using` does the same. */
  close(): Promise<void>;
}
