import { Fault } from "#base";
import { interfaceBytes, protocols } from "./nft-expressions.ts";
import { ipBytes, macBytes } from "./rtnetlink.ts";

/** Whose frames: the port of a bridge that they come in by, their MAC address, and one of IPv4 or IPv6. */
export interface FrameSource {
  readonly link: string;
  readonly mac: string;
  readonly address: string;
}

/** A translated connection by its protocol, the address that it leads to, and the port that it was translated from. */
export interface FlowEnd extends AddressAndPort {
  readonly protocol: "tcp" | "udp" | "sctp";
}

/** An address of the family and a port, as the keys and values of port maps. */
export interface AddressAndPort {
  readonly address: string;
  readonly port: number;
}

/** Each part of a concatenation begins at a multiple of four bytes. */
export function addressAndPortBytes({ address, port }: AddressAndPort): Uint8Array {
  return Buffer.concat([ipBytes(address), portBytes(port), new Uint8Array(2)]);
}

/** The protocol, and then the address and the port. */
export function flowBytes({ protocol, ...end }: FlowEnd): Uint8Array {
  return Buffer.concat([Uint8Array.of(protocols[protocol], 0, 0, 0), addressAndPortBytes(end)]);
}

/** Of an Ethernet address in a concatenation. */
export const MAC_SIZE = 8;

/** The port's name, and then both addresses. */
export function sourceBytes({ link, mac, address }: FrameSource): Uint8Array {
  return Buffer.concat([interfaceBytes(link), macBytes(mac), new Uint8Array(2), ipBytes(address)]);
}

function portBytes(port: number): Uint8Array {
  if (!Number.isInteger(port) || port < 1 || port > 65535)
    throw new Fault("invalid", `${port} is not a port: 1 to 65535`);
  return Uint8Array.of(port >> 8, port & 255);
}
