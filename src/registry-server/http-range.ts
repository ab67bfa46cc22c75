/**
 * The one range that a request asks for (RFC 9110, 14.1.2), with `end` exclusive. "whole": the
 * request has no range, or one that a server may ignore: several ranges, other units.
 */
export function parseRange(
  header: string | null,
  size: number,
): { readonly start: number; readonly end: number } | "whole" | "unsatisfiable" {
  const match = /^bytes=\s*(\d{0,15})-(\d{0,15})\s*$/.exec(header ?? "");
  if (!match) return "whole";
  const [, from = "", to = ""] = match;
  if (from === "" && to === "") return "whole";
  if (from === "") {
    const length = Math.min(Number(to), size);
    return length === 0 ? "unsatisfiable" : { start: size - length, end: size };
  }
  const start = Number(from);
  // RFC 9110 lets a server ignore a range that ends before it begins; 416 tells the client of its fault.
  if (start >= size || (to !== "" && Number(to) < start)) return "unsatisfiable";
  return { start, end: to === "" ? size : Math.min(Number(to) + 1, size) };
}

/** Content-Range of a chunk as distribution-spec 1.1 has it ("0-1023", without a unit), or as RFC 9110 would. */
export function parseChunkRange(
  header: string,
): { readonly start: number; readonly length: number } | undefined {
  const match = /^(?:bytes[ =])?(\d{1,15})-(\d{1,15})(?:\/(?:\d{1,15}|\*))?$/.exec(header.trim());
  if (!match) return undefined;
  const length = Number(match[2]) - Number(match[1]) + 1;
  return length > 0 ? { start: Number(match[1]), length } : undefined;
}

/** Whether a condition (RFC 9110, 13.1) names the entity; also without the quotes, as docker-registry takes it. */
export function matchesTag(header: string | null, etag: string): boolean {
  return (header ?? "")
    .split(",")
    .map((each) => each.trim().replace(/^W\//, ""))
    .some((each) => each === "*" || each === etag || `"${each}"` === etag);
}
