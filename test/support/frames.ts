import { parseIp } from "#base";
import { enter, type Namespace } from "./namespace.ts";

/** An interface as frames name it. */
export interface Station {
  readonly mac: string;
  readonly address: string;
  readonly address6: string;
}

type Addresses = Pick<Station, "mac"> & { readonly to?: string };

const macOf = (text: string) => Buffer.from(text.replaceAll(":", ""), "hex");
const ipOf = (text: string) => Buffer.from(parseIp(text) ?? []);
const word = (value: number) => Buffer.from([(value >> 8) & 255, value & 255]);
export const broadcast = "ff:ff:ff:ff:ff:ff";
/** Frames to it are for a bridge itself, as those of LLDP. */
export const nearestBridge = "01:80:c2:00:00:0e";

/** A frame of Ethernet with a type and its content. */
export function ethernet({ mac, to = broadcast }: Addresses, type: number, ...rest: Buffer[]) {
  return Buffer.concat([macOf(to), macOf(mac), word(type), ...rest]);
}

/** Says in an answer of ARP (RFC 826) that `address` is at `mac`. */
export function arpAnswer(from: Addresses, { mac, address }: Pick<Station, "mac" | "address">) {
  const header = Buffer.from("0001080006040002", "hex");
  const none = Buffer.alloc(6);
  return ethernet(from, 0x0806, header, macOf(mac), ipOf(address), none, ipOf(address));
}

/** Puts two tags of VLAN 0 before a frame's type, which receivers take off again. */
export function tagged(frame: Buffer): Buffer {
  const tags = Buffer.from("8100000081000000", "hex");
  return Buffer.concat([frame.subarray(0, 12), tags, frame.subarray(12)]);
}

function checksum(bytes: Buffer): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += (bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return ~sum & 0xffff;
}

interface Packet {
  readonly source: string;
  readonly destination: string;
}

/** A packet of IPv6 (RFC 8200) whose content has its checksum at an offset. */
function ipv6({ source, destination }: Packet, next: number, content: Buffer, checkAt: number) {
  const addresses = Buffer.concat([ipOf(source), ipOf(destination)]);
  const pseudo = [addresses, word(0), word(content.length), word(0), word(next)];
  word(checksum(Buffer.concat([...pseudo, content]))).copy(content, checkAt);
  const header = [Buffer.from("60000000", "hex"), word(content.length), Buffer.from([next, 255])];
  return Buffer.concat([...header, addresses, content]);
}

/** Says in an advertisement of neighbour discovery (RFC 4861, 4.4) that `target` is at `mac`. */
export function neighbourAdvert(from: Addresses, packet: Packet & { readonly target: string }) {
  const flags = Buffer.from("8800000020000000", "hex");
  const link = Buffer.concat([Buffer.from([2, 1]), macOf(from.mac)]);
  const content = Buffer.concat([flags, ipOf(packet.target), link]);
  return ethernet(from, 0x86dd, ipv6(packet, 58, content, 2));
}

/** The advertisement of a router (RFC 4861, 4.2) for half an hour. */
export function routerAdvert(from: Addresses, packet: Packet) {
  const content = Buffer.from("86000000400007080000000000000000", "hex");
  return ethernet(from, 0x86dd, ipv6(packet, 58, content, 2));
}

/** A datagram with a text. */
export function datagram(from: Addresses, packet: Packet, port: number, text: string) {
  const odd = text.length % 2 === 0 ? text : `${text} `;
  const length = word(8 + odd.length);
  const content = Buffer.concat([word(port), word(port), length, word(0), Buffer.from(odd)]);
  if (packet.source.includes(":")) return ethernet(from, 0x86dd, ipv6(packet, 17, content, 6));
  const begin = Buffer.from("4500", "hex");
  const rest = Buffer.from("0000000040110000", "hex");
  const header = Buffer.concat([begin, word(20 + content.length), rest]);
  const all = Buffer.concat([header, ipOf(packet.source), ipOf(packet.destination)]);
  word(checksum(all)).copy(all, 10);
  return ethernet(from, 0x0800, all, content);
}

/** Sends frames as they are by an interface of a namespace (packet(7)). */
export async function sendFrames(
  netns: Namespace,
  link: string,
  frames: readonly Buffer[],
): Promise<void> {
  const script = `
    const { dlopen, ptr } = require("bun:ffi");
    const { symbols: c } = dlopen("libc.so.6", {
      socket: { args: ["int", "int", "int"], returns: "int" },
      if_nametoindex: { args: ["ptr"], returns: "int" },
      sendto: { args: ["int", "ptr", "usize", "int", "ptr", "int"], returns: "isize" },
    });
    const socket = c.socket(17, 3, 0);
    const address = Buffer.alloc(20);
    address.writeUInt16LE(17, 0);
    address.writeInt32LE(c.if_nametoindex(ptr(Buffer.from("${link}\\0"))), 4);
    for (const text of ${JSON.stringify(frames.map((frame) => frame.toString("hex")))}) {
      const frame = Buffer.from(text, "hex");
      if (c.sendto(socket, ptr(frame), frame.length, 0, ptr(address), 20) < 0) process.exit(1);
    }`;
  const child = Bun.spawn(enter(netns, process.execPath, "-e", script), { stderr: "inherit" });
  if ((await child.exited) !== 0) throw new Error(`no frames could be sent by ${link}`);
}
