/** What `import ... from "sregistry"` gives: docs/api.md. */
export type { Log, Progress, Task } from "./call.ts";
export type { RemoteStatus } from "./client/accounts.ts";
export type { BcastOutcome } from "./client/bcast.ts";
export type { CacheCheck, CachedFile, CacheEntry, CacheListing, Pruned, PruneLimits } from "./client/cache-care.ts";
export { createClient } from "./client/client.ts";
export type { CopyEntry, CopyOutcome } from "./client/copy.ts";
export type { DeleteOutcome } from "./client/delete.ts";
export type { GetOutcome } from "./client/get.ts";
export type { Inspection } from "./client/inspect.ts";
export type {
  BcastOptions,
  CacheClient,
  Client,
  ClientOptions,
  CollectionOptions,
  CopyCallOptions,
  DeleteOptions,
  DescribedEntry,
  GetOptions,
  InspectCallOptions,
  LabelOptions,
  LoginOptions,
  LoginOutcome,
  PlannedPush,
  PullOptions,
  PushOptions,
  RegistryHandle,
  RemoteAddOptions,
  RemoteLoginOptions,
  RemotesClient,
  RowOptions,
  SearchCallOptions,
  ServeOptions,
  StoreClient,
  UsageOptions,
} from "./client/interface.ts";
export type { LabelEntry } from "./client/labels.ts";
export type { EmptyCollection, ListEntry } from "./client/list.ts";
export type { ListColumn, ListRow } from "./client/list-columns.ts";
export { onProgress, type ProgressEvent } from "./client/progress-events.ts";
export type { PullOutcome } from "./client/pull.ts";
export type { PushOutcome } from "./client/push.ts";
export type { RemoteList } from "./client/remotes.ts";
export type { SearchEntry } from "./client/search.ts";
export type { CheckReport, NewUser, UserEntry } from "./client/serve.ts";
export type { Environment, Protocol } from "./client/services.ts";
export type { CallOptions } from "./client/session.ts";
export type { TagOutcome } from "./client/tag.ts";
export type { Usage, UsageCollection, UsageContainer, UsageCounts, UsageImage } from "./client/usage.ts";
export { type ErrorCode, EXIT_STATUS, SregistryError } from "./errors.ts";
export type { Digest } from "./reference/digest.ts";
export { VERSION } from "./version.ts";
