/** Retry-After (RFC 9110, section 10.2.3): seconds, or a date. */

const DATE = /^(?:[A-Z][a-z]{2,8},? [\d A-Za-z:-]{15,30}|[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4})$/;

/** Milliseconds to wait from `now` (Unix time in ms); 0 for a date that has passed; undefined for what is neither. */
export function parseRetryAfter(value: string | undefined, now: number): number | undefined {
  const text = value?.trim();
  if (text === undefined || text.length > 64) return undefined;
  if (/^\d{1,10}$/.test(text)) return Number(text) * 1000;
  if (!DATE.test(text)) return undefined;
  // asctime dates carry no zone and mean GMT.
  const time = Date.parse(/GMT|UTC|[+-]\d{4}/.test(text) ? text : `${text} GMT`);
  return Number.isNaN(time) ? undefined : Math.max(0, time - now);
}
