/** What matters of a JSON text: keys with their colon, other strings, and where objects and lists begin and end. */
const TOKEN = /"(?:[^"\\]|\\.)*"(\s*:)?|[{}[\]]/g;

/**
 * Whether a key is twice in the `sysctl` of a configuration. JSON.parse would keep the last one and say nothing.
 * `json`: a text that is known to be JSON.
 */
export function hasDuplicateSysctl(json: string): boolean {
  const keys = new Set<string>();
  let depth = 0;
  let within = false;
  for (const [token, colon] of json.matchAll(TOKEN)) {
    if (token === "{" || token === "[") depth++;
    else if (token === "}" || token === "]") depth--;
    else if (colon !== undefined) {
      const key: string = JSON.parse(token.slice(0, -colon.length));
      if (depth === 1) within = key.toLowerCase() === "sysctl";
      else if (depth === 2 && within) {
        if (keys.has(key)) return true;
        keys.add(key);
      }
    }
  }
  return false;
}
