import { Fault } from "#base";
import type { NetlinkWriter } from "./netlink.ts";
import { ipBytes } from "./rtnetlink.ts";

/** linux/netfilter/nf_tables.h */
const NFTA_LIST_ELEM = 1;
const NFTA_EXPR_NAME = 1;
const NFTA_EXPR_DATA = 2;
const NFTA_DATA_VALUE = 1;
const NFTA_DATA_VERDICT = 2;
const NFTA_VERDICT_CODE = 1;
const NFTA_VERDICT_CHAIN = 2;
const NFT_REG_VERDICT = 0;
const NFT_REG_1 = 1;
/** The first 32 bits of NFT_REG_1; the values of a concatenation follow each other. */
const NFT_REG32_00 = 8;
const NFT_FIB_RESULT_ADDRTYPE = 3;
const NFT_FIB_RESULT_OIF = 1;
const NFTA_FIB_F_SADDR = 1 << 0;
const NFTA_FIB_F_DADDR = 1 << 1;
const NFTA_FIB_F_IIF = 1 << 3;
/** linux/rtnetlink.h: addresses of this host. */
const RTN_LOCAL = 2;
const NFT_PAYLOAD_LINK = 0;
const NFT_PAYLOAD_NETWORK = 1;
const NFT_PAYLOAD_TRANSPORT = 2;
const NFT_CT_STATE = 0;
const NFT_CT_DIRECTION = 1;
const NFT_CT_STATUS = 2;
const NFT_CT_PROTO_DST = 12;
/** NFT_CT_SRC_IP, NFT_CT_SRC_IP6 */
const ctSources = { ip: 19, ip6: 21 } as const;
/** IP_CT_DIR_ORIGINAL, IP_CT_DIR_REPLY */
const ctDirections = { original: 0, reply: 1 } as const;
/** linux/if.h: bytes of an interface's name with its NUL. */
export const IFNAMSIZ = 16;

const metaKeys = { protocol: 1, iifname: 6, oifname: 7, l4proto: 16 } as const;
const verdicts = { drop: 0, accept: 1, jump: -3, return: -5 } as const;
/** IPPROTO_* of linux/in.h. */
export const protocols = { tcp: 6, udp: 17, "ipv6-icmp": 58, sctp: 132 } as const;
/** linux/if_ether.h: ETH_P_IP, ETH_P_IPV6, ETH_P_ARP. */
const etherTypes = { 4: 0x0800, 6: 0x86dd, arp: 0x0806 } as const;
/** linux/icmpv6.h, net/ndisc.h */
const icmpTypes = {
  "nd-router-advert": 134,
  "nd-neighbor-solicit": 135,
  "nd-neighbor-advert": 136,
  "nd-redirect": 137,
} as const;
const NFT_LOOKUP_F_INV = 1;
/** linux/netfilter/nf_conntrack_common.h: bits of a connection's state and status. */
const ctStates = { invalid: 1, established: 2, related: 4, new: 8 } as const;
const IPS_DST_NAT = 1 << 5;
const NF_NAT_RANGE_PROTO_SPECIFIED = 2;
const NFT_NG_RANDOM = 1;
const NFT_BYTEORDER_HTON = 1;

/** One expression of a rule: writes itself as an element of the rule's list of expressions. */
export type Expression = (list: NetlinkWriter) => void;

function expression(name: string, fill: (data: NetlinkWriter) => void): Expression {
  return (list) => {
    list.nested(NFTA_LIST_ELEM, (element) => {
      element.text(NFTA_EXPR_NAME, name).nested(NFTA_EXPR_DATA, fill);
    });
  };
}

function loadMeta(key: keyof typeof metaKeys): Expression {
  return expression("meta", (w) => w.be32Attribute(2, metaKeys[key]).be32Attribute(1, NFT_REG_1));
}

function loadPayload(
  base: number,
  offset: number,
  length: number,
  register: number = NFT_REG_1,
): Expression {
  return expression("payload", (w) =>
    w
      .be32Attribute(1, register)
      .be32Attribute(2, base)
      .be32Attribute(3, offset)
      .be32Attribute(4, length),
  );
}

/** NFT_CMP_EQ, NFT_CMP_NEQ, NFT_CMP_LT: of bytes, so that numbers must be in network byte order. */
const comparisons = { equal: 0, other: 1, less: 2 } as const;

function compare(how: boolean | "less", value: Uint8Array): Expression {
  const operation = typeof how === "string" ? how : how ? "equal" : "other";
  return expression("cmp", (w) =>
    w
      .be32Attribute(1, NFT_REG_1)
      .be32Attribute(2, comparisons[operation])
      .nested(3, (data) => data.attribute(NFTA_DATA_VALUE, (d) => d.bytes(value))),
  );
}

function maskWith(mask: Uint8Array): Expression {
  return expression("bitwise", (w) =>
    w
      .be32Attribute(1, NFT_REG_1)
      .be32Attribute(2, NFT_REG_1)
      .be32Attribute(3, mask.byteLength)
      .nested(4, (data) => data.attribute(NFTA_DATA_VALUE, (d) => d.bytes(mask)))
      .nested(5, (data) =>
        data.attribute(NFTA_DATA_VALUE, (d) => d.bytes(new Uint8Array(mask.byteLength))),
      ),
  );
}

/** A 32-bit value in the machine's order, as conntrack's registers have it. */
function native32(value: number): Uint8Array {
  return new Uint8Array(new Uint32Array([value]).buffer);
}

/** An interface's name as nf_tables compares it; `invalid` for one that no interface can have. */
export function interfaceBytes(name: string): Uint8Array {
  const bytes = Buffer.alloc(IFNAMSIZ);
  if (bytes.write(name) >= IFNAMSIZ || name === "")
    throw new Fault("invalid", `${JSON.stringify(name)} is not a name for a network interface`);
  return bytes;
}

function match(key: "iifname" | "oifname", name: string, equal: boolean): Expression[] {
  return [loadMeta(key), compare(equal, interfaceBytes(name))];
}

/** A network as "10.1.0.0" and 16, or "fd00::" and 64; bits of the address beyond the prefix are ignored. */
export interface IpNetwork {
  readonly address: string;
  readonly prefixLength: number;
}

/** Where the addresses are in the header of the packet (RFC 791, RFC 8200), by their bytes. */
const offsets = { 4: { source: 12, destination: 16 }, 16: { source: 8, destination: 24 } } as const;

function offsetsOf({ byteLength }: Uint8Array) {
  return offsets[byteLength === 4 ? 4 : 16];
}

function matchNetwork(
  which: "source" | "destination",
  { address, prefixLength }: IpNetwork,
): Expression[] {
  const bytes = ipBytes(address);
  const mask = bytes.map((_, i) => 0xff00 >> Math.min(Math.max(prefixLength - 8 * i, 0), 8));
  const value = bytes.map((byte, i) => byte & (mask[i] ?? 0));
  const load = loadPayload(NFT_PAYLOAD_NETWORK, offsetsOf(bytes)[which], bytes.byteLength);
  return [load, maskWith(mask), compare(true, value)];
}

/** Matches when any of the bits is set. */
function matchCt(key: number, bits: number): Expression[] {
  return [
    expression("ct", (w) => w.be32Attribute(2, key).be32Attribute(1, NFT_REG_1)),
    maskWith(native32(bits)),
    compare(false, native32(0)),
  ];
}

/** Where a frame says who sent it: in its header and that of IP, or in the message that it carries. */
const senders = {
  ip: { mac: [NFT_PAYLOAD_LINK, 6], base: NFT_PAYLOAD_NETWORK, at: 12, bytes: 4 },
  ip6: { mac: [NFT_PAYLOAD_LINK, 6], base: NFT_PAYLOAD_NETWORK, at: 8, bytes: 16 },
  // RFC 826: who sent the frame, and what neighbours are to remember.
  "frame of arp": { mac: [NFT_PAYLOAD_LINK, 6], base: NFT_PAYLOAD_NETWORK, at: 14, bytes: 4 },
  arp: { mac: [NFT_PAYLOAD_NETWORK, 8], base: NFT_PAYLOAD_NETWORK, at: 14, bytes: 4 },
  // The target (RFC 4861, sections 4.3 and 4.4).
  neighbour: { mac: [NFT_PAYLOAD_LINK, 6], base: NFT_PAYLOAD_TRANSPORT, at: 8, bytes: 16 },
} as const;

/** Loads the parts of a `FrameSource` one after the other, and looks them up. */
function lookUpSource(set: string, sender: keyof typeof senders, isIn: boolean): Expression[] {
  const { mac, base, at, bytes } = senders[sender];
  const [macRegister, addressRegister] = [NFT_REG32_00 + 4, NFT_REG32_00 + 6];
  return [
    loadMeta("iifname"),
    loadPayload(mac[0], mac[1], 6, macRegister),
    loadPayload(base, at, bytes, addressRegister),
    expression("lookup", (w) => {
      w.text(1, set).be32Attribute(2, NFT_REG_1);
      if (!isIn) w.be32Attribute(5, NFT_LOOKUP_F_INV);
    }),
  ];
}

/** Loads what conntrack knows of a direction of the packet's connection. */
function loadCt(key: number, direction: keyof typeof ctDirections, register: number): Expression {
  return expression("ct", (w) => {
    w.be32Attribute(1, register).be32Attribute(2, key);
    w.attribute(3, (data) => data.u8(ctDirections[direction]));
  });
}

function verdict(code: number, chain?: string): Expression {
  return expression("immediate", (w) =>
    w.be32Attribute(1, NFT_REG_VERDICT).nested(2, (data) => writeVerdict(data, code, chain)),
  );
}

function writeVerdict(data: NetlinkWriter, code: number, chain?: string): void {
  data.nested(NFTA_DATA_VERDICT, (v) => {
    v.be32Attribute(NFTA_VERDICT_CODE, code);
    if (chain !== undefined) v.text(NFTA_VERDICT_CHAIN, chain);
  });
}

/** What a map of verdicts says about a key. */
export type MapVerdict = "accept" | "drop" | "return" | { readonly jump: string };

/** A verdict as the value of a map's element. */
export function verdictData(verdict: MapVerdict): (data: NetlinkWriter) => void {
  return typeof verdict === "string"
    ? (data) => writeVerdict(data, verdicts[verdict])
    : (data) => writeVerdict(data, verdicts.jump, verdict.jump);
}

function verdictOf(key: "iifname" | "oifname", map: string): Expression[] {
  return [
    loadMeta(key),
    expression("lookup", (w) =>
      w.text(1, map).be32Attribute(2, NFT_REG_1).be32Attribute(3, NFT_REG_VERDICT),
    ),
  ];
}

/**
 * The words of rules, named as nft(8) has them. Each is a list of expressions;
 * a rule is their concatenation, matches before the verdict.
 */
export const nft = {
  iifname: (name: string) => match("iifname", name, true),
  iifnameNot: (name: string) => match("iifname", name, false),
  oifname: (name: string) => match("oifname", name, true),
  oifnameNot: (name: string) => match("oifname", name, false),
  /** What a map of verdicts says about the interface; nothing for one that is not in it. */
  iifnameVerdict: (map: string) => verdictOf("iifname", map),
  oifnameVerdict: (map: string) => verdictOf("oifname", map),
  ipSource: (network: IpNetwork) => matchNetwork("source", network),
  ipDestination: (network: IpNetwork) => matchNetwork("destination", network),
  protocol: (protocol: keyof typeof protocols) => [
    loadMeta("l4proto"),
    compare(true, Uint8Array.of(protocols[protocol])),
  ],
  /** Packets to an address that is not this host's own. */
  notToThisHost: () => [
    expression("fib", (w) =>
      w
        .be32Attribute(1, NFT_REG_1)
        .be32Attribute(2, NFT_FIB_RESULT_ADDRTYPE)
        .be32Attribute(3, NFTA_FIB_F_DADDR),
    ),
    compare(false, native32(RTN_LOCAL)),
  ],
  /** Packets with a source to which no route leads by the interface that they came in by. */
  sourceIsElsewhere: () => [
    expression("fib", (w) =>
      w
        .be32Attribute(1, NFT_REG_1)
        .be32Attribute(2, NFT_FIB_RESULT_OIF)
        .be32Attribute(3, NFTA_FIB_F_SADDR | NFTA_FIB_F_IIF),
    ),
    compare(true, native32(0)),
  ],
  /** The port of TCP or UDP; to be preceded by `protocol`. */
  destinationPort: (port: number) => [
    loadPayload(NFT_PAYLOAD_TRANSPORT, 2, 2),
    compare(true, Uint8Array.of(port >> 8, port & 255)),
  ],
  ctState: (...states: readonly (keyof typeof ctStates)[]) =>
    matchCt(
      NFT_CT_STATE,
      states.reduce((bits, state) => bits | ctStates[state], 0),
    ),
  /** Connections whose destination was translated: those to a published port. */
  ctDestinationTranslated: () => matchCt(NFT_CT_STATUS, IPS_DST_NAT),
  /** Packets from who began their connection, or those that answer. */
  ctDirection: (direction: keyof typeof ctDirections) => [
    expression("ct", (w) => w.be32Attribute(2, NFT_CT_DIRECTION).be32Attribute(1, NFT_REG_1)),
    compare(true, Uint8Array.of(ctDirections[direction])),
  ],
  /** Counts the packet by an element of a set (`addFlowCounters`), where it has one for the connection's `FlowEnd`. */
  countFlow: (set: string, family: "ip" | "ip6") => [
    loadMeta("l4proto"),
    loadCt(ctSources[family], "reply", NFT_REG32_00 + 1),
    loadCt(NFT_CT_PROTO_DST, "original", NFT_REG32_00 + (family === "ip" ? 2 : 5)),
    expression("lookup", (w) => w.text(1, set).be32Attribute(2, NFT_REG_1)),
  ],
  /** Counts the packet by the element of the interface that it came in by, in a set (`addLinkCounters`). */
  countIncoming: (set: string) => [
    loadMeta("iifname"),
    expression("lookup", (w) => w.text(1, set).be32Attribute(2, NFT_REG_1)),
  ],
  masquerade: () => [expression("masq", () => undefined)],
  /**
   * Translates the destination by a map from address and port to address and port
   * (`ipv4_addr . inet_service : ipv4_addr . inet_service`, or of ipv6_addr), looked up by the packet's own
   * address or by 0.0.0.0 (::), which stands for any; what has no element is not translated. To be
   * preceded by `protocol`.
   */
  dnatByMap: (map: string, address: "own" | "any", family: "ip" | "ip6" = "ip") => {
    const any = new Uint8Array(family === "ip" ? 4 : 16);
    // The port comes behind the address, in units of 32 bits.
    const portRegister = NFT_REG32_00 + any.byteLength / 4;
    return [
      loadPayload(NFT_PAYLOAD_NETWORK, offsetsOf(any).destination, any.byteLength),
      // nft(8) can show it so; a constant in a concatenation it cannot.
      ...(address === "any" ? [maskWith(any)] : []),
      loadPayload(NFT_PAYLOAD_TRANSPORT, 2, 2, portRegister),
      expression("lookup", (w) =>
        w.text(1, map).be32Attribute(2, NFT_REG_1).be32Attribute(3, NFT_REG_1),
      ),
      expression("nat", (w) =>
        w
          .be32Attribute(1, 1)
          .be32Attribute(2, family === "ip" ? 2 : 10)
          .be32Attribute(3, NFT_REG_1)
          .be32Attribute(5, portRegister)
          .be32Attribute(7, NF_NAT_RANGE_PROTO_SPECIFIED | 1),
      ),
    ];
  },
  /** Matches packets whose source is in a set of IPv4 addresses. */
  ipSourceIn: (set: string) => [
    loadPayload(NFT_PAYLOAD_NETWORK, offsets[4].source, 4),
    expression("lookup", (w) => w.text(1, set).be32Attribute(2, NFT_REG_1)),
  ],
  /** Packets of IPv4, IPv6 or ARP, in a chain that sees others too; what looks into them needs it there. */
  etherType: (type: keyof typeof etherTypes) => [
    loadMeta("protocol"),
    compare(true, Uint8Array.of(etherTypes[type] >> 8, etherTypes[type] & 255)),
  ],
  /** Whether a frame's sender is in a set of sources (`addSourceSet`); to be preceded by `etherType`, `neighbour` by `icmpType`. */
  isSource: (set: string, sender: keyof typeof senders) => lookUpSource(set, sender, true),
  isNotSource: (set: string, sender: keyof typeof senders) => lookUpSource(set, sender, false),
  /** Messages of neighbour discovery (RFC 4861). */
  icmpType: (type: keyof typeof icmpTypes) => [
    loadMeta("l4proto"),
    compare(true, Uint8Array.of(protocols["ipv6-icmp"])),
    loadPayload(NFT_PAYLOAD_TRANSPORT, 0, 1),
    compare(true, Uint8Array.of(icmpTypes[type])),
  ],
  /** Matches by chance, so many of a million packets. */
  chance: (millionths: number) => {
    const limit = Buffer.alloc(4);
    limit.writeUInt32BE(millionths);
    return [
      expression("numgen", (w) =>
        w.be32Attribute(1, NFT_REG_1).be32Attribute(2, 1_000_000).be32Attribute(3, NFT_NG_RANDOM),
      ),
      expression("byteorder", (w) =>
        w
          .be32Attribute(1, NFT_REG_1)
          .be32Attribute(2, NFT_REG_1)
          .be32Attribute(3, NFT_BYTEORDER_HTON)
          .be32Attribute(4, 4)
          .be32Attribute(5, 4),
      ),
      compare("less", limit),
    ];
  },
  counter: () => [expression("counter", () => undefined)],
  accept: () => [verdict(verdicts.accept)],
  drop: () => [verdict(verdicts.drop)],
  /** Back to the chain before, of a base chain to its policy. */
  return: () => [verdict(verdicts.return)],
  jump: (chain: string) => [verdict(verdicts.jump, chain)],
} as const satisfies Record<string, (...parameters: never[]) => readonly Expression[]>;
