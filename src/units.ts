/** Numbers as people read them. Sizes are binary (1 KiB = 1024 bytes), as Singularity shows them. */

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** `40960` -> `40.0 KiB`, `512` -> `512 B`. */
export function formatSize(bytes: number): string {
  const unit = unitOf(bytes);
  return unit === 0 ? `${bytes} B` : `${(bytes / 1024 ** unit).toFixed(1)} ${UNITS[unit]}`;
}

function unitOf(bytes: number): number {
  let unit = 0;
  while (bytes >= 1024 ** (unit + 1) && unit < UNITS.length - 1) unit += 1;
  return unit;
}

/** Whole seconds as `42s`, `3m05s`, `2h07m`. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m${String(whole % 60).padStart(2, "0")}s`;
  return `${Math.floor(whole / 3600)}h${String(Math.floor((whole % 3600) / 60)).padStart(2, "0")}m`;
}

/** Bytes per second as `12.3 MiB/s`. */
export function formatRate(bytesPerSecond: number): string {
  return `${formatSize(Math.round(bytesPerSecond))}/s`;
}

/** At most three digits beside others that stand below each other: `85.3 MiB`, `853 MiB`. */
export function shortSize(bytes: number): string {
  const [number = "", unit = ""] = formatSize(bytes).split(" ");
  return `${Number(number) >= 100 ? Math.round(Number(number)) : number} ${unit}`;
}

/** How much of how much, in the unit of the whole: `1.2/4.0 GiB`. */
export function formatPart(bytes: number, total: number): string {
  const unit = unitOf(total);
  const digits = (value: number): string => {
    const inUnit = value / 1024 ** unit;
    return unit === 0 || inUnit >= 100 ? String(Math.floor(inUnit)) : inUnit.toFixed(1);
  };
  return `${digits(bytes)}/${digits(total)} ${UNITS[unit]}`;
}

/** Bytes per second as `85.3 MiB/s`. */
export function shortRate(bytesPerSecond: number): string {
  return `${shortSize(Math.round(bytesPerSecond))}/s`;
}

const AGES: readonly (readonly [string, number])[] = [
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
];
/** Days; what is older is told by its date. */
const LONGEST_AGE = 14;

/** RFC 3339 as `just now`, `5 minutes ago`, `3 days ago`, and after two weeks as `2026-11-21` (UTC). `now`: Unix milliseconds. */
export function formatDate(time: string, now: number): string {
  const then = Date.parse(time);
  if (Number.isNaN(then)) return time;
  const age = now - then;
  const date = new Date(then).toISOString().slice(0, 10);
  if (age < -60_000 || age >= LONGEST_AGE * 86_400_000) return date;
  for (const [unit, milliseconds] of AGES) {
    const count = Math.floor(age / milliseconds);
    if (count >= 1) return `${count} ${unit}${count === 1 ? "" : "s"} ago`;
  }
  return "just now";
}
