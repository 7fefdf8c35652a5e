/** Which of the names that are there may have been meant by one that is not, and how they are told. */
import { nearNames } from "../nearest.ts";

/** More are no help. */
const MOST_NEAR = 3;
const MOST_SHOWN = 5;

export function insteadOfTag<T extends string>(tag: string, tags: readonly T[]): readonly T[] {
  const near = nearNames(tag, tags).filter((one) => one.length !== tag.length || shape(one) !== shape(tag));
  return near.slice(0, MOST_NEAR);
}

/** Whoever asks for 2.0 does not mean 1.0. */
function shape(tag: string): string {
  return tag.replace(/\d/g, "0");
}

export interface Instead {
  /** Repositories, or collections of as many components as `path` has. */
  readonly near: readonly string[];
  /** It is no repository itself, and some are in it. */
  readonly isCollection: boolean;
  /** The last components of what is in the same collection. */
  readonly beside: readonly string[];
}

export function insteadOfPath(path: string, paths: readonly string[]): Instead {
  const components = path.split("/");
  const alike = paths.map((one) => one.split("/").slice(0, components.length).join("/"));
  const collection = `${components.slice(0, -1).join("/")}/`;
  return {
    near: nearNames(
      path,
      alike.filter((one) => isNear(components, one.split("/"))),
    ).slice(0, MOST_NEAR),
    isCollection: !paths.includes(path) && alike.includes(path),
    beside: paths.filter((one) => one.startsWith(collection)).map((one) => one.slice(collection.length)),
  };
}

/** Each component by itself: two slips are little in a long path, and much in a short name. */
function isNear(typed: readonly string[], known: readonly string[]): boolean {
  return typed.every((component, at) => {
    const other = known[at] ?? "";
    return component === other || nearNames(component, [other]).length > 0;
  });
}

/** `a`, `a or b`, `a, b or c`. */
export function choice(names: readonly string[]): string {
  const [last = "", ...before] = [...names].reverse();
  return before.length === 0 ? last : `${before.reverse().join(", ")} or ${last}`;
}

/** Of many the last ones as people count, which are mostly the newest: `1.9, 1.10, latest and 12 more`. */
export function some(names: readonly string[]): string {
  const sorted = [...names].sort((one, other) => one.localeCompare(other, "en", { numeric: true }));
  const more = sorted.length - MOST_SHOWN;
  return `${sorted.slice(-MOST_SHOWN).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}
