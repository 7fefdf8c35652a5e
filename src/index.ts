/** What `import ... from "sregistry"` gives: docs/api.md. */

export type { Listed as CachedFile } from "./cache/survey.ts";
export type { Log, Progress, Several, Task } from "./call.ts";
export type { RemoteStatus } from "./client/accounts.ts";
export type { BcastOutcome } from "./client/bcast.ts";
export type { CacheCheck, CacheEntry, CacheListing, Pruned, PruneLimits } from "./client/cache-care.ts";
export { createClient } from "./client/client.ts";
export type { CopyEntry, CopyOptions, CopyOutcome } from "./client/copy.ts";
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
  PullAllOptions,
  PulledEntry,
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
export type { Description, EmptyCollection, ListEntry } from "./client/list.ts";
export type { ListColumn, ListRow } from "./client/list-columns.ts";
export { onProgress, type ProgressEvent } from "./client/progress-events.ts";
export type { PullOutcome } from "./client/pull.ts";
export type { PushOutcome } from "./client/push.ts";
export type { KeyserverRow, RemoteList, RemoteRow } from "./client/remotes.ts";
export type { SearchEntry } from "./client/search.ts";
export type { CheckReport, NewUser, UserEntry } from "./client/serve.ts";
export type { Environment, Protocol } from "./client/services.ts";
export type { CallOptions } from "./client/session.ts";
export type { TagOutcome } from "./client/tag.ts";
export type { Usage, UsageCollection, UsageContainer, UsageCounts, UsageImage } from "./client/usage.ts";
export { type ErrorCode, EXIT_STATUS, type Missing, SregistryError } from "./errors.ts";
export type { DescriptorRow, SifLink } from "./image/descriptor.ts";
export type { ImageMetadata } from "./image/metadata.ts";
export type { SifObject } from "./image/read.ts";
export type { SifSignature } from "./image/signature.ts";
export type { Digest } from "./reference/digest.ts";
export type {
  BareReference,
  Host,
  LibraryReference,
  LocalReference,
  OciReference,
  PlacedReference,
  Reference,
  RepoPath,
  Selector,
  ShubReference,
  Tag,
} from "./reference/reference.ts";
export type { Problem } from "./registry/local/check.ts";
export type { ProblemKind } from "./registry/local/findings.ts";
export type { ImageInfo, LabelFilter, Quota, Referrer, SearchOptions } from "./registry/registry.ts";
export type { ServiceStatus } from "./remote/account.ts";
export type { Job } from "./slurm/job.ts";
export { VERSION } from "./version.ts";
