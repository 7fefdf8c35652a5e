/** What an interrupted upload leaves behind, so that a later process can go on with it. The port; sessions.ts keeps files. */

export interface UploadKey {
  /** scheme://host:port of the registry. */
  readonly origin: string;
  readonly repository: string;
  /** Source.identity: the very bytes that were being sent. */
  readonly source: string;
}

export interface UploadSession {
  /** Newest Location that the server gave; absolute. */
  readonly location: string;
  /** Bytes that the server has confirmed. */
  readonly offset: number;
  /** Instead of an offset, where the server takes parts in any order. */
  readonly multipart?: SavedParts;
}

/** An upload that goes in numbered parts, each confirmed by a token (an ETag) that the closing request repeats. */
export interface SavedParts {
  /** What the server calls the image, and the upload. */
  readonly image: string;
  readonly uploadId: string;
  readonly parts: number;
  /** Bytes of every part but the last. */
  readonly partSize: number;
  readonly signsHash: boolean;
  readonly done: readonly UploadPart[];
}

export interface UploadPart {
  /** From 1. */
  readonly number: number;
  readonly token: string;
}

export interface UploadSessions {
  /** Undefined when there is none, or only one too old to be alive at any server. */
  load(key: UploadKey): Promise<UploadSession | undefined>;
  save(key: UploadKey, session: UploadSession): Promise<void>;
  forget(key: UploadKey): Promise<void>;
}

/** For uploads that are not worth remembering. */
export const noUploadSessions: UploadSessions = {
  load: async () => undefined,
  save: async () => undefined,
  forget: async () => undefined,
};
