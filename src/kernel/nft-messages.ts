import { NetlinkWriter, readAttributes } from "./netlink.ts";

/** linux/netfilter/nfnetlink.h, linux/netfilter/nf_tables.h */
export const NFNL_SUBSYS_NFTABLES = 10;
export const NFPROTO_UNSPEC = 0;
export const families = { inet: 1, ip: 2, netdev: 5, bridge: 7, ip6: 10 } as const;
export const messages = {
  newTable: 0,
  getTable: 1,
  delTable: 2,
  newChain: 3,
  getChain: 4,
  delChain: 5,
  newRule: 6,
  getRule: 7,
  delRule: 8,
  newSet: 9,
  delSet: 11,
  newSetElem: 12,
  getSetElem: 13,
  delSetElem: 14,
  newGeneration: 15,
} as const;
export const hooks = { prerouting: 0, input: 1, forward: 2, output: 3, postrouting: 4 } as const;

/** The family of tables that IPv4 packets meet, or that of IPv6. */
export type NftFamily = "ip" | "ip6";

/** The type of a message among those of netlink. */
export function messageType(message: keyof typeof messages): number {
  return (NFNL_SUBSYS_NFTABLES << 8) | messages[message];
}

/** struct nfgenmsg. */
export function bodyOf(family: number): NetlinkWriter {
  return new NetlinkWriter().u8(family).u8(0).be16(0);
}

/** What follows struct nfgenmsg. */
export function attributesOf(reply: Buffer): Map<number, Buffer> {
  return readAttributes(reply.subarray(4));
}
