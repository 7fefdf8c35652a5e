/** JSON that other programs put into images: what is there is taken, what is missing or odd is left out. */

/** A member of an object; undefined when there is none, when it is null, or when `value` is no object. */
export function member(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value) || !Object.hasOwn(value, name)) {
    return undefined;
  }
  const entry = Object.entries(value).find(([key]) => key === name);
  return entry?.[1] ?? undefined;
}

export function textMember(value: unknown, name: string): string | undefined {
  const text = member(value, name);
  return typeof text === "string" ? text : undefined;
}

/** An object as name -> text: a value that is no string stands as its JSON. Anything else is empty. */
export function textRecord(value: unknown): Readonly<Record<string, string>> {
  const result: Record<string, string> = Object.create(null);
  if (typeof value !== "object" || value === null || Array.isArray(value)) return result;
  for (const [name, item] of Object.entries(value))
    result[name] = typeof item === "string" ? item : JSON.stringify(item);
  return result;
}
