/** What the exit statuses mean. */
export const EXIT_MEANINGS: readonly (readonly [status: number, says: string])[] = [
  [0, "done, and verified"],
  [1, "internal error: please report it"],
  [2, "usage: a flag, a reference, or the configuration is wrong"],
  [3, "not found"],
  [4, "not logged in, or not allowed"],
  [5, "conflict: it exists, or is frozen"],
  [6, "integrity: size or digest is wrong, or a signature is missing"],
  [7, "disk: full, over quota, or not writable"],
  [8, "the endpoint cannot do this"],
  [75, "worth trying again: network, time-out, 429 and 5xx after retries, a lock"],
  [130, "SIGINT: cleaned up, and resumable"],
  [143, "SIGTERM: cleaned up, and resumable"],
];
