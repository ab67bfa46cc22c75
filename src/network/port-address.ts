import { Fault, parseIp } from "#base";

/** An address of this host in network byte order, 4 or 16 bytes; `invalid` for any other text. */
export function addressBytes(text: string): Uint8Array {
  const bytes = parseIp(text);
  if (bytes === undefined)
    throw new Fault("invalid", `invalid IP address: ${text}`, { about: text });
  return bytes;
}

/** Of IPv4, 127.0.0.0/8; of IPv6, ::1. */
export function isLoopback(text: string): boolean {
  const bytes = addressBytes(text);
  return bytes.byteLength === 4
    ? bytes[0] === 127
    : bytes.every((byte, index) => byte === (index === 15 ? 1 : 0));
}
