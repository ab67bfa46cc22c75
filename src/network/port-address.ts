import { isIPv6 } from "node:net";
import { Fault } from "#base";
import { parseIpv4 } from "./ipv4.ts";

/** An address of this host in network byte order, 4 or 16 bytes; `invalid` for any other text. */
export function addressBytes(text: string): Uint8Array {
  const number = parseIpv4(text);
  if (number !== undefined)
    return Uint8Array.of(number >>> 24, number >>> 16, number >>> 8, number);
  if (!isIPv6(text) || text.includes("%"))
    throw new Fault("invalid", `invalid IP address: ${text}`, { about: text });
  return ipv6Bytes(text);
}

/** RFC 4291, 2.2: groups of 16 bits, of which "::" stands for as many zeros as are missing; the last two may be dotted. */
function ipv6Bytes(text: string): Uint8Array {
  const plain = text.replace(/[0-9.]+$/, (dotted) => {
    const number = parseIpv4(dotted);
    return number === undefined
      ? dotted
      : `${(number >>> 16).toString(16)}:${(number & 0xffff).toString(16)}`;
  });
  const [head = "", tail] = plain.split("::");
  const groups = (part: string) => (part === "" ? [] : part.split(":"));
  const [before, after] = [groups(head), groups(tail ?? "")];
  const zeros = Array<string>(8 - before.length - after.length).fill("0");
  return Uint8Array.from(
    [...before, ...zeros, ...after].flatMap((group) => {
      const value = Number.parseInt(group, 16);
      return [value >> 8, value & 255];
    }),
  );
}

/** Of IPv4, 127.0.0.0/8; of IPv6, ::1. */
export function isLoopback(text: string): boolean {
  const bytes = addressBytes(text);
  return bytes.byteLength === 4
    ? bytes[0] === 127
    : bytes.every((byte, index) => byte === (index === 15 ? 1 : 0));
}
