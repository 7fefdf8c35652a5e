/** The session of one upload as it is kept for a later process. What cannot be kept is not worth failing a push for. */
import type { Call } from "../../call.ts";
import { isCode } from "../../errors.ts";
import type { RepoPath } from "../../reference/reference.ts";
import type { Source } from "../../transfer/source.ts";
import type { UploadKey, UploadSessions } from "../../transfer/upload-session.ts";
import type { OciApi, UploadLocation } from "./api.ts";
import { type SessionState, savedLocation } from "./session.ts";

export class SavedSession {
  readonly #api: OciApi;
  readonly #path: RepoPath;
  readonly #sessions: UploadSessions;
  readonly #call: Call;
  /** Undefined for a source whose bytes cannot be told from others later, and when saving has failed. */
  #key: UploadKey | undefined;
  /** What is being written; the upload does not wait for it. */
  #writing: Promise<unknown> = Promise.resolve();

  constructor(api: OciApi, path: RepoPath, source: Source, sessions: UploadSessions, call: Call) {
    this.#api = api;
    this.#path = path;
    this.#sessions = sessions;
    this.#call = call;
    if (source.identity !== undefined) {
      this.#key = { origin: api.base.origin, repository: path, source: source.identity };
    }
  }

  get kept(): boolean {
    return this.#key !== undefined;
  }

  /** Where an earlier process was, by its own count; undefined when there was none. */
  async load(): Promise<SessionState | undefined> {
    const saved = await this.#with((key) => this.#sessions.load(key));
    if (saved === undefined) return undefined;
    const location = savedLocation(this.#api, this.#path, saved.location);
    return location === undefined ? undefined : { location, offset: saved.offset };
  }

  /** While the upload goes on. */
  save(location: UploadLocation, offset: number): void {
    const session = { location: location.url.href, offset };
    this.#writing = this.#writing.then(() => this.#with((key) => this.#sessions.save(key, session)));
    // Reported by `settled`.
    this.#writing.catch(() => undefined);
  }

  /** What has been saved is on the disk. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  async forget(): Promise<void> {
    await this.settled();
    await this.#with((key) => this.#sessions.forget(key));
  }

  /** A home that is full or read-only (compute nodes) costs the resume, not the push. */
  async #with<T>(work: (key: UploadKey) => Promise<T>): Promise<T | undefined> {
    if (this.#key === undefined) return undefined;
    try {
      return await work(this.#key);
    } catch (error) {
      if (!isCode(error, "DISK", "CONFIG_INVALID")) throw error;
      this.#call.log.verbose(`this push could not be resumed after an interruption: ${error.message}`);
      this.#key = undefined;
      return undefined;
    }
  }
}
