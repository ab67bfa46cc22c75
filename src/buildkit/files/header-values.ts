/**
 * Values as headers of a call to FileSync: patterns and paths. Where one has characters beyond
 * ASCII all are escaped as in a URL's query, and a second header says so (BuildKit's
 * session/filesync).
 */
export function headerValues(
  values: Readonly<Record<string, readonly string[]>>,
): Record<string, string[]> {
  const headers: Record<string, string[]> = {};
  for (const [name, list] of Object.entries(values)) {
    if (list.length === 0) continue;
    // HTTP/2 refuses control characters as well.
    const isPlain = list.every((value) => /^[\x20-\x7e]*$/.test(value));
    headers[name] = isPlain ? [...list] : list.map(queryEscape);
    if (!isPlain) headers[`${name}-encoded`] = ["1"];
  }
  return headers;
}

/** Go's url.QueryEscape. */
function queryEscape(text: string): string {
  return encodeURIComponent(text)
    .replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll("%20", "+");
}
