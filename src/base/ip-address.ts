import { isIPv4, isIPv6 } from "node:net";

/** A version of the internet protocol. */
export type IpVersion = 4 | 6;

/** The bytes of an address in network byte order, 4 or 16; undefined for any other text, also one with a zone. */
export function parseIp(text: string): Uint8Array | undefined {
  if (isIPv4(text)) return Uint8Array.from(text.split("."), Number);
  if (!isIPv6(text) || text.includes("%")) return undefined;
  const [head = "", tail] = withoutDots(text).split("::");
  const groups = (part: string) => part.split(":").filter((group) => group !== "");
  const [before, after] = [groups(head), groups(tail ?? "")];
  const zeros = Array<string>(8 - before.length - after.length).fill("0");
  return Uint8Array.from(
    [...before, ...zeros, ...after].flatMap((group) => {
      const value = Number.parseInt(group, 16);
      return [value >> 8, value & 255];
    }),
  );
}

/** "::ffff:1.2.3.4" with its last four bytes as two groups (RFC 4291, 2.2). */
function withoutDots(text: string): string {
  return text.replace(/\d+\.\d+\.\d+\.\d+$/, (dotted) => {
    const [a = 0, b = 0, c = 0, d = 0] = dotted.split(".").map(Number);
    return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
  });
}

/** The text of 4 or 16 bytes; that of IPv6 by RFC 5952: the first longest run of two zeros or more is "::". */
export function formatIp(bytes: Uint8Array): string {
  if (bytes.byteLength === 4) return bytes.join(".");
  const groups = Array.from({ length: 8 }, (_, i) =>
    (((bytes[2 * i] ?? 0) << 8) | (bytes[2 * i + 1] ?? 0)).toString(16),
  );
  if (/^(0:){5}ffff:/.test(groups.join(":"))) return `::ffff:${bytes.slice(12).join(".")}`;
  let [at, length] = [0, 1];
  for (let i = 0; i < 8; i++) {
    let end = i;
    while (groups[end] === "0") end++;
    if (end - i > length) [at, length] = [i, end - i];
  }
  if (length < 2) return groups.join(":");
  return `${groups.slice(0, at).join(":")}::${groups.slice(at + length).join(":")}`;
}
