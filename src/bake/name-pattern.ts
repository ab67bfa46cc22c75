/** Whether a name matches a pattern of Go's path.Match: `*`, `?`, `[a-z]` and `\`; a broken one matches none. */
export function matchesPattern(pattern: string, name: string): boolean {
  const parts = [
    ...pattern.matchAll(/\\([\s\S])|\[(\^?)((?:\\[\s\S]|[^\]\\])+)\]|\*+|\?|[^\\[*?]+|[\s\S]/gu),
  ];
  let source = "";
  for (const [part, escaped, not, set] of parts) {
    if (escaped !== undefined) source += quoted(escaped);
    else if (set !== undefined) source += `[${not ?? ""}${set.replace(/[[\]^]/g, "\\$&")}]`;
    else if (part === "[" || part === "\\") return false;
    else if (part.startsWith("*")) source += "[^/]*";
    else source += part === "?" ? "[^/]" : quoted(part);
  }
  try {
    return new RegExp(`^${source}$`, "u").test(name);
  } catch {
    return false;
  }
}

function quoted(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}
