/** How routes of this protocol are written down. */
import type { Handler, Route } from "../router.ts";

/** Clients write paths with and without a slash at the end. */
export function getRoutes(path: string, handle: Handler, more: Partial<Route> = {}): readonly Route[] {
  return bothWays({ method: "GET", path, handle, ...more });
}

export function bothWays(route: Omit<Route, "errors">): readonly Route[] {
  // The one with the slash is first: a name that spans slashes would take it.
  return [`${route.path}/`, route.path].map((path) => ({ ...route, path, errors: "detail" }));
}
