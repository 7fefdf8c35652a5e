/** The two range headers: Content-Range of a download (RFC 9110, section 14.4), Range of an upload session (OCI). */

export interface ContentRange {
  /** First byte sent. */
  readonly start: number;
  /** One past the last byte sent. */
  readonly end: number;
  /** Size of the whole; undefined for `*`. */
  readonly total: number | undefined;
}

/** `bytes 0-99/200`; undefined for anything that is not exactly that, or contradicts itself. */
export function parseContentRange(value: string | undefined): ContentRange | undefined {
  const found = /^bytes (\d{1,16})-(\d{1,16})\/(\d{1,16}|\*)$/i.exec(value?.trim() ?? "");
  if (found === null) return undefined;
  const start = Number(found[1]);
  const last = Number(found[2]);
  const total = found[3] === "*" ? undefined : Number(found[3]);
  if (![start, last + 1, total ?? 0].every(Number.isSafeInteger)) return undefined;
  if (last < start || (total !== undefined && last >= total)) return undefined;
  return { start, end: last + 1, total };
}

/** The size out of a 416's `bytes * /SIZE` (without the blank). */
export function parseUnsatisfiedRange(value: string | undefined): number | undefined {
  const found = /^bytes \*\/(\d{1,16})$/i.exec(value?.trim() ?? "");
  const total = found === null ? Number.NaN : Number(found[1]);
  return Number.isSafeInteger(total) ? total : undefined;
}

/**
 * Bytes that an upload session holds, out of its `Range: 0-<last>`. `0-0` is read as 0: registry:2, distribution v3 and
 * zot say it both for an empty session and for one byte. Some servers write `bytes=` before it.
 */
export function parseUploadRange(value: string | undefined): number | undefined {
  const found = /^(?:bytes[= ])?0-(\d{1,16})$/i.exec(value?.trim() ?? "");
  if (found === null) return undefined;
  const last = Number(found[1]);
  if (!Number.isSafeInteger(last + 1)) return undefined;
  return last === 0 ? 0 : last + 1;
}
