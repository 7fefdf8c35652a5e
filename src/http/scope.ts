/** Token scopes: `type:name:action,action` (distribution-spec, "Requesting a Token"). */

/**
 * One list out of the scope a server challenged with and those the caller wants: the challenged first (some servers honour
 * only the first), actions of the same resource joined.
 */
export function mergeScopes(challenged: string | undefined, wanted: readonly string[]): readonly string[] {
  const actions = new Map<string, Set<string>>();
  for (const scope of [...(challenged ?? "").split(/\s+/), ...wanted]) {
    if (scope === "") continue;
    const colon = scope.lastIndexOf(":");
    const resource = colon < 0 ? scope : scope.slice(0, colon);
    const known = actions.get(resource) ?? new Set<string>();
    for (const action of colon < 0 ? [] : scope.slice(colon + 1).split(",")) known.add(action);
    actions.set(resource, known);
  }
  return [...actions].map(([resource, words]) => (words.size === 0 ? resource : `${resource}:${[...words].join(",")}`));
}
