/** Pages as Django REST framework makes them: `?limit=10&offset=20`, and the URLs of the neighbours in the answer. */
export interface Window {
  readonly limit: number;
  readonly offset: number;
}

const DEFAULT_LIMIT = 10;
const LARGEST_LIMIT = 1000;

/** What is no number counts as not given, as the framework does it. */
export function windowOf(query: URLSearchParams): Window {
  const limit = numberIn(query.get("limit")) ?? DEFAULT_LIMIT;
  return {
    limit: Math.min(limit === 0 ? DEFAULT_LIMIT : limit, LARGEST_LIMIT),
    offset: numberIn(query.get("offset")) ?? 0,
  };
}

function numberIn(text: string | null): number | undefined {
  return /^\d{1,9}$/.test(text ?? "") ? Number(text) : undefined;
}

/** `url` without a query; `count`: of all pages. */
export function pageOf(url: string, { limit, offset }: Window, count: number, results: readonly unknown[]): object {
  const at = (start: number): string =>
    `${url}?${new URLSearchParams({ limit: String(limit), ...(start > 0 ? { offset: String(start) } : {}) })}`;
  return {
    count,
    next: offset + limit < count ? at(offset + limit) : null,
    previous: offset > 0 ? at(Math.max(0, offset - limit)) : null,
    results,
  };
}
