/** The session of one upload as it is kept for a later process. What cannot be kept is not worth failing a push for. */
import type { Call } from "../../call.ts";
import { isCode } from "../../errors.ts";
import type { RepoPath } from "../../reference/reference.ts";
import type { UploadKey, UploadSessions } from "../../transfer/upload-session.ts";
import type { OciApi, UploadLocation } from "./api.ts";
import { type SessionState, savedLocation } from "./session.ts";

export class SavedSession {
  readonly #api: OciApi;
  readonly #path: RepoPath;
  readonly #sessions: UploadSessions;
  readonly #call: Call;
  /** The first is saved under. None for bytes that cannot be told from others later, and when saving has failed. */
  #keys: readonly UploadKey[];
  /** What is being written; the upload does not wait for it. */
  #writing: Promise<unknown> = Promise.resolve();

  /** `names`: of the very bytes, best first; a name may be unknown (the digest of a file that was not read yet). */
  constructor(
    api: OciApi,
    path: RepoPath,
    names: readonly (string | undefined)[],
    sessions: UploadSessions,
    call: Call,
  ) {
    this.#api = api;
    this.#path = path;
    this.#sessions = sessions;
    this.#call = call;
    const known = [...new Set(names)].filter((name) => name !== undefined);
    this.#keys = known.map((source) => ({ origin: api.base.origin, repository: path, source }));
  }

  get kept(): boolean {
    return this.#keys.length > 0;
  }

  /** Where an earlier process was, by its own count; undefined when there was none. */
  async load(): Promise<SessionState | undefined> {
    for (const key of this.#keys) {
      const saved = await this.#guarded(() => this.#sessions.load(key));
      if (saved === undefined) continue;
      const location = savedLocation(this.#api, this.#path, saved.location);
      if (location !== undefined) return { location, offset: saved.offset };
    }
    return undefined;
  }

  /** While the upload goes on. */
  save(location: UploadLocation, offset: number): void {
    const session = { location: location.url.href, offset };
    this.#writing = this.#writing.then(() =>
      this.#guarded(async () => {
        const [key] = this.#keys;
        if (key !== undefined) await this.#sessions.save(key, session);
      }),
    );
    // Reported by `settled`.
    this.#writing.catch(() => undefined);
  }

  /** What has been saved is on the disk. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  async forget(): Promise<void> {
    await this.settled();
    await this.#guarded(async () => {
      for (const key of this.#keys) await this.#sessions.forget(key);
    });
  }

  /** A home that is full or read-only (compute nodes) costs the resume, not the push. */
  async #guarded<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      if (!isCode(error, "DISK", "CONFIG_INVALID")) throw error;
      this.#call.log.verbose(`this push could not be resumed after an interruption: ${error.message}`);
      this.#keys = [];
      return undefined;
    }
  }
}
