/** An object as JSON.parse gives it. */
export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * The member `name` of a JSON object: the exact key first, else one that differs in case only, since runtimes
 * written in Go send HostPort where hostPort is meant. `null` counts as absent.
 */
export function member(object: JsonObject, name: string): unknown {
  const exact = object[name];
  if (exact !== undefined) return exact ?? undefined;
  for (const key in object)
    if (key.length === name.length && key.toLowerCase() === name.toLowerCase())
      return object[key] ?? undefined;
  return undefined;
}

/** A value for an error message: its JSON, cut to a line. */
export function show(value: unknown): string {
  const text = value === undefined ? "nothing" : JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
