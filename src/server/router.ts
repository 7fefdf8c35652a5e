/** Routes as a table: `/v2/{name}/blobs/{digest}`; `{name}` spans slashes, any other word one path segment. */
import type { Exchange } from "./exchange.ts";
import { type ErrorForm, Failure } from "./failure.ts";

export type Parameters = Readonly<Record<string, string>>;
export type Handler = (exchange: Exchange, parameters: Parameters) => Promise<void> | void;

export interface Route {
  /** GET answers HEAD as well. */
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  readonly handle: Handler;
  /** What its failures look like; default `oci`. */
  readonly errors?: ErrorForm;
  /** Answers without a token whatever the settings are; one that is given still says who asks. */
  readonly open?: boolean;
  /** Takes signed requests: `identity.hmac` is then the header that the handler has to verify. */
  readonly hmac?: boolean;
}

export interface Match {
  readonly route: Route;
  /** @throws Failure 400 for a path that is not properly percent-encoded. */
  parameters(): Parameters;
}

/** The Failure is 404 for an unknown path, 405 for an unknown method: for the guard to know before it is answered. */
export type Router = (method: string, path: string) => Match | Failure;

interface Compiled extends Route {
  readonly words: readonly string[];
  readonly pattern: RegExp;
}

/** The first route that matches wins. */
export function createRouter(routes: readonly Route[]): Router {
  const compiled = routes.map(compile);
  return (method, path) => {
    const wanted = method === "HEAD" ? "GET" : method;
    const matching = compiled.filter(({ pattern }) => pattern.test(path));
    const route = matching.find((candidate) => candidate.method === wanted);
    if (route !== undefined) return { route, parameters: () => parametersOf(route, path) };
    if (matching.length === 0) return new Failure(404, "UNSUPPORTED", "there is nothing at this path");
    const allow = [
      ...new Set(matching.flatMap((known) => (known.method === "GET" ? ["GET", "HEAD"] : [known.method]))),
    ];
    return new Failure(405, "UNSUPPORTED", `this path takes ${allow.join(", ")}`, {
      headers: { allow: allow.join(", ") },
    });
  };
}

function compile(route: Route): Compiled {
  const words: string[] = [];
  const source = route.path.replaceAll(/\{(\w+)\}|[.*+?^$()[\]\\|]/g, (found: string, word: string | undefined) => {
    if (word === undefined) return `\\${found}`;
    words.push(word);
    return word === "name" ? "(.+)" : "([^/]+)";
  });
  return { ...route, words, pattern: new RegExp(`^${source}$`) };
}

function parametersOf({ words, pattern }: Compiled, path: string): Parameters {
  const values = pattern.exec(path) ?? [];
  return Object.fromEntries(words.map((word, index) => [word, decode(values[index + 1] ?? "")]));
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw new Failure(400, "NAME_INVALID", "the path is not properly percent-encoded", { cause });
  }
}
