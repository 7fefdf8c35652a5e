/** What `import ... from "sregistry"` gives. */
export type { Call, Log, Progress, Task } from "./call.ts";
export { type Client, type ClientOptions, createClient } from "./client/client.ts";
export { type ErrorCode, EXIT_STATUS, SregistryError } from "./errors.ts";
