import { defined, Fault, isFault } from "#base";
import { openChannel } from "./channel.ts";
import { forgetUdpFlows } from "./conntrack.ts";
import { Fd } from "./fd.ts";
import {
  listAttributes,
  listMessages,
  NETLINK_NETFILTER,
  type Netlink,
  type NetlinkOptions,
  type NetlinkRequest,
  NetlinkWriter,
  NLM_F_ACK,
  NLM_F_APPEND,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_ECHO,
  NLM_F_EXCL,
  openNetlink,
  openSocket,
  readAttributes,
  readText,
} from "./netlink.ts";
import {
  type Expression,
  IFNAMSIZ,
  interfaceBytes,
  type MapVerdict,
  protocols,
  verdictData,
} from "./nft-expressions.ts";
import { type RuleMeaning, readMeaning } from "./nft-rule-reader.ts";
import { ipBytes, macBytes } from "./rtnetlink.ts";

/** linux/netfilter/nfnetlink.h, linux/netfilter/nf_tables.h */
const NFNL_SUBSYS_NFTABLES = 10;
const NFNL_MSG_BATCH_BEGIN = 16;
const NFNL_MSG_BATCH_END = 17;
const NFPROTO_UNSPEC = 0;
const families = { inet: 1, ip: 2, netdev: 5, bridge: 7, ip6: 10 } as const;
/** Of family netdev: what comes in by an interface, and what goes out. */
const deviceHooks = { ingress: 0, egress: 1 } as const;
const messages = {
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
const hooks = { prerouting: 0, input: 1, forward: 2, output: 3, postrouting: 4 } as const;
const NFT_SET_MAP = 8;
/** The types of nft(8), which shows elements by them, with their bytes: ipv4_addr, ipv6_addr, inet_service. */
const addressTypes = { ip: { type: 7, bytes: 4 }, ip6: { type: 8, bytes: 16 } } as const;
const TYPE_ETHER_ADDR = 9;
const TYPE_INET_PROTOCOL = 12;
const TYPE_INET_SERVICE = 13;
const TYPE_IFNAME = 41;
/** NFT_DATA_VERDICT: the values of a map are verdicts. */
const TYPE_VERDICT = 0xffffff00;

/** The family of tables that IPv4 packets meet, or that of IPv6. */
export type NftFamily = keyof typeof addressTypes;
/** The family of tables whose chains see frames: at interfaces, or on bridges. */
type FrameFamily = "netdev" | "bridge";

/** libnftnl's user data of a set: type 0 is the byte order of keys, and 1 the host's, without which nft(8) shows no names of interfaces. */
const KEYS_OF_HOST = Buffer.concat([Uint8Array.of(0, 4), new Uint8Array(Uint32Array.of(1).buffer)]);

function type(message: keyof typeof messages): number {
  return (NFNL_SUBSYS_NFTABLES << 8) | messages[message];
}

/** struct nfgenmsg. */
function bodyOf(family: number): NetlinkWriter {
  return new NetlinkWriter().u8(family).u8(0).be16(0);
}

function boundary(message: number): NetlinkRequest {
  const header = new NetlinkWriter().u8(0).u8(0).be16(NFNL_SUBSYS_NFTABLES).done();
  return { type: message, flags: 0, body: header, verb: "change the packet filter" };
}

/** A chain that the kernel calls at a hook of the packet's way (nft(8)). */
export interface BaseChain {
  readonly table: string;
  readonly name: string;
  readonly type: "filter" | "nat";
  readonly hook: keyof typeof hooks;
  /** As in nft(8): -100 dstnat, 0 filter, 100 srcnat. */
  readonly priority: number;
  /** The fate of packets that no rule decides about; accept by default. */
  readonly policy?: "accept" | "drop";
}

/** A rule: the expressions of `nft`, matches first, then what to do. */
export interface RuleOptions {
  readonly table: string;
  readonly chain: string;
  readonly expressions: readonly (readonly Expression[])[];
  /** At the chain's beginning instead of its end. */
  readonly first?: boolean;
  /** Kept with the rule, shown by nft(8); at most 128 bytes. */
  readonly comment?: string;
}

/** A rule as the kernel keeps it; `handle` names it for `deleteRule`. */
export interface Rule extends RuleMeaning {
  readonly handle: bigint;
  readonly comment: string;
}

/** A chain as the kernel lists it. */
export interface Chain {
  readonly table: string;
  readonly name: string;
  /** Base chains alone have a policy. */
  readonly policy?: "accept" | "drop";
}

/** A chain that packets meet at a hook, of any program. */
export interface HookedChain extends Chain {
  readonly family: keyof typeof families;
  readonly hook: keyof typeof hooks;
  readonly type: string;
}

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

/** What an element of a set has counted; bytes of packets with their headers. */
export interface PacketCount {
  readonly packets: bigint;
  readonly bytes: bigint;
}

/** An address of the family and a port, as the keys and values of port maps. */
export interface AddressAndPort {
  readonly address: string;
  readonly port: number;
}

/** libnftnl's user data: type 0 is the comment, with its length and a NUL. */
function commentBytes(comment: string): Uint8Array {
  const text = Buffer.from(`${comment}\0`);
  if (text.length > 129) throw new Fault("invalid", "a rule's comment takes at most 128 bytes");
  return Buffer.concat([Uint8Array.of(0, text.length), text]);
}

function commentOf(data: Buffer | undefined): string {
  if (data === undefined || data.length < 2 || data[0] !== 0) return "";
  return readText(data.subarray(2, 2 + (data[1] ?? 0)));
}

/**
 * Changes that `Nftables.commit` makes in their order, all at once or not at all. The methods only
 * write them down; faults of the kernel come from `commit`.
 */
export class NftBatch {
  readonly #requests: NetlinkRequest[] = [];
  readonly #removedPorts: string[] = [];
  readonly #family: NftFamily | FrameFamily;

  /** For tables of one family. */
  constructor(family: NftFamily | FrameFamily = "ip") {
    this.#family = family;
  }

  #body(): NetlinkWriter {
    return bodyOf(families[this.#family]);
  }

  #add(request: Omit<NetlinkRequest, "body"> & { readonly body: NetlinkWriter }): this {
    this.#requests.push({ ...request, body: request.body.done() });
    return this;
  }

  /** The messages in their order, between the two that begin and end a batch. */
  get requests(): readonly NetlinkRequest[] {
    return [boundary(NFNL_MSG_BATCH_BEGIN), ...this.#requests, boundary(NFNL_MSG_BATCH_END)];
  }

  /** The places of the elements that `deletePort` takes away, in their order. */
  get removedPorts(): readonly string[] {
    return this.#removedPorts;
  }

  /** Does nothing when the table is there. */
  addTable(name: string): this {
    return this.#newTable(name, 0);
  }

  /** `exists` when the table is there. */
  createTable(name: string): this {
    return this.#newTable(name, NLM_F_EXCL);
  }

  #newTable(name: string, flags: number): this {
    return this.#add({
      type: type("newTable"),
      flags: NLM_F_ACK | NLM_F_CREATE | flags,
      body: this.#body().text(1, name),
      verb: "create the nftables table",
      about: name,
    });
  }

  /** With all that is in it; `not_found` when there is no such table. */
  deleteTable(name: string): this {
    return this.#add({
      type: type("delTable"),
      flags: NLM_F_ACK,
      body: this.#body().text(1, name),
      verb: "delete the nftables table",
      about: name,
    });
  }

  /** An empty table, whatever it was before. */
  replaceTable(name: string): this {
    return this.addTable(name).deleteTable(name).addTable(name);
  }

  /** Does nothing when the same chain is there; a new policy is taken over. */
  addBaseChain(chain: BaseChain): this {
    return this.#add({
      type: type("newChain"),
      flags: NLM_F_ACK | NLM_F_CREATE,
      body: this.#body()
        .text(1, chain.table)
        .text(3, chain.name)
        .nested(4, (hook) => {
          hook.be32Attribute(1, hooks[chain.hook]).be32Attribute(2, chain.priority);
        })
        .be32Attribute(5, chain.policy === "drop" ? 0 : 1)
        .text(7, chain.type),
      verb: "create the nftables chain",
      about: `${chain.table} ${chain.name}`,
    });
  }

  /** A chain that frames meet at an interface, in a table of family netdev. */
  addDeviceChain(
    table: string,
    name: string,
    at: { readonly device: string; readonly hook: keyof typeof deviceHooks },
  ): this {
    return this.#add({
      type: type("newChain"),
      flags: NLM_F_ACK | NLM_F_CREATE,
      body: this.#body()
        .text(1, table)
        .text(3, name)
        .nested(4, (hook) => {
          hook.be32Attribute(1, deviceHooks[at.hook]).be32Attribute(2, 0).text(3, at.device);
        })
        .text(7, "filter"),
      verb: `create the nftables chain at the hook ${at.hook}`,
      about: `${table} ${name}`,
    });
  }

  /** A chain that rules jump to; does nothing when it is there. */
  addChain(table: string, name: string): this {
    return this.#add({
      type: type("newChain"),
      flags: NLM_F_ACK | NLM_F_CREATE,
      body: this.#body().text(1, table).text(3, name),
      verb: "create the nftables chain",
      about: `${table} ${name}`,
    });
  }

  /** Adds it also when an equal rule is there. `invalid` for a comment above 128 bytes. */
  addRule(rule: RuleOptions): this {
    const { table, chain, expressions, first = false, comment } = rule;
    const writer = this.#body()
      .text(1, table)
      .text(2, chain)
      .nested(4, (list) => {
        for (const write of expressions.flat()) write(list);
      });
    if (comment !== undefined) writer.attribute(7, (w) => w.bytes(commentBytes(comment)));
    return this.#add({
      type: type("newRule"),
      flags: NLM_F_ACK | NLM_F_CREATE | (first ? 0 : NLM_F_APPEND),
      body: writer,
      verb: "add a rule to the nftables chain",
      about: `${table} ${chain}`,
    });
  }

  /** Deletes the rules of a chain, which stays; `not_found` when there is no such chain. */
  flushChain(table: string, chain: string): this {
    return this.#add({
      type: type("delRule"),
      flags: NLM_F_ACK,
      body: this.#body().text(1, table).text(2, chain),
      verb: "flush the nftables chain",
      about: `${table} ${chain}`,
    });
  }

  /** Deletes an empty chain to which no rule jumps; `not_found` when there is no such chain. */
  deleteChain(table: string, chain: string): this {
    return this.#add({
      type: type("delChain"),
      flags: NLM_F_ACK,
      body: this.#body().text(1, table).text(3, chain),
      verb: "delete the nftables chain",
      about: `${table} ${chain}`,
    });
  }

  /** Deletes the rule with this handle; `not_found` when it is gone. */
  deleteRule(table: string, chain: string, handle: bigint): this {
    return this.#add({
      type: type("delRule"),
      flags: NLM_F_ACK,
      body: this.#body()
        .text(1, table)
        .text(2, chain)
        .attribute(3, (w) => w.be64(handle)),
      verb: "delete a rule of the nftables chain",
      about: `${table} ${chain}`,
    });
  }

  #addressType() {
    const family = this.#family;
    if (family === "ip" || family === "ip6") return addressTypes[family];
    throw new Fault("internal", `tables of the family ${family} have no sets of addresses`);
  }

  /** A set of addresses. */
  addAddressSet(table: string, name: string): this {
    const { type: kind, bytes } = this.#addressType();
    return this.#addSet(table, name, (w) => {
      w.be32Attribute(3, 0).be32Attribute(4, kind).be32Attribute(5, bytes);
    });
  }

  /** A map from an address and port to another, for `nft.dnatByMap`. */
  addPortMap(table: string, name: string): this {
    const address = this.#addressType();
    // Concatenated types are put together six bits each; each part begins at a multiple of four bytes.
    const [kind, bytes] = [(address.type << 6) | TYPE_INET_SERVICE, address.bytes + 4];
    return this.#addSet(table, name, (w) => {
      w.be32Attribute(3, NFT_SET_MAP).be32Attribute(4, kind).be32Attribute(5, bytes);
      w.be32Attribute(6, kind).be32Attribute(7, bytes);
    });
  }

  /** A map from the name of an interface to a verdict, for `nft.iifnameVerdict`. */
  addVerdictMap(table: string, name: string): this {
    return this.#addSet(table, name, (w) => {
      w.be32Attribute(3, NFT_SET_MAP).be32Attribute(4, TYPE_IFNAME).be32Attribute(5, IFNAMSIZ);
      w.be32Attribute(6, TYPE_VERDICT).be32Attribute(7, 16);
      w.attribute(13, (data) => data.bytes(KEYS_OF_HOST));
    });
  }

  /** A set of frames' sources, whose addresses are of IPv4 ("ip") or IPv6, for `nft.isSource`. */
  addSourceSet(table: string, name: string, family: NftFamily): this {
    const address = addressTypes[family];
    const kind = (TYPE_IFNAME << 12) | (TYPE_ETHER_ADDR << 6) | address.type;
    return this.#addSet(table, name, (w) => {
      w.be32Attribute(3, 0).be32Attribute(4, kind);
      w.be32Attribute(5, IFNAMSIZ + MAC_SIZE + address.bytes);
    });
  }

  /** Adds to a set of frames' sources; does nothing when it is there. */
  addSource(table: string, set: string, source: FrameSource): this {
    return this.#element("newSetElem", { table, set, key: sourceBytes(source) });
  }

  /** Removes from a set of frames' sources; `not_found` when it is not there. */
  deleteSource(table: string, set: string, source: FrameSource): this {
    return this.#element("delSetElem", { table, set, key: sourceBytes(source) });
  }

  /** A set of connections' ends that counts packets, for `nft.countFlow`. */
  addFlowCounters(table: string, name: string): this {
    const { type: kind, bytes } = this.#addressType();
    const key = (TYPE_INET_PROTOCOL << 12) | (kind << 6) | TYPE_INET_SERVICE;
    return this.#addSet(table, name, (w) => {
      w.be32Attribute(3, 0)
        .be32Attribute(4, key)
        .be32Attribute(5, 4 + bytes + 4);
      w.nested(17, (each) => each.text(1, "counter").nested(2, () => undefined));
    });
  }

  /** Adds to a set that counts; one that is there goes on counting. */
  addFlow(table: string, set: string, flow: FlowEnd): this {
    return this.#element("newSetElem", { table, set, key: flowBytes(flow) });
  }

  /** Removes from a set that counts; `not_found` when it is not there. */
  deleteFlow(table: string, set: string, flow: FlowEnd): this {
    return this.#element("delSetElem", { table, set, key: flowBytes(flow) });
  }

  /** What happens to packets of an interface: a verdict, or a jump to a chain. Refused when the map says otherwise. */
  addVerdict(table: string, map: string, link: string, verdict: MapVerdict): this {
    const writeVerdict = verdictData(verdict);
    return this.#element("newSetElem", {
      table,
      set: map,
      key: interfaceBytes(link),
      writeVerdict,
    });
  }

  /** Removes an interface from a map of verdicts; `not_found` when it is not there. */
  deleteVerdict(table: string, map: string, link: string): this {
    return this.#element("delSetElem", { table, set: map, key: interfaceBytes(link) });
  }

  #addSet(table: string, name: string, fill: (writer: NetlinkWriter) => void): this {
    const writer = this.#body().text(1, table).text(2, name);
    fill(writer);
    // The id is for rules of the same batch that come before the set has a handle.
    writer.be32Attribute(10, this.#requests.length + 1);
    return this.#add({
      type: type("newSet"),
      flags: NLM_F_ACK | NLM_F_CREATE,
      body: writer,
      verb: "create the nftables set",
      about: `${table} ${name}`,
    });
  }

  /** Adds an address to a set; does nothing when it is there. */
  addAddress(table: string, set: string, address: string): this {
    return this.#element("newSetElem", { table, set, key: ipBytes(address) });
  }

  /** Removes an address from a set; `not_found` when it is not there. */
  deleteAddress(table: string, set: string, address: string): this {
    return this.#element("delSetElem", { table, set, key: ipBytes(address) });
  }

  /**
   * Leads `from` to `target`, and counts what it leads there; "0.0.0.0" or "::" stands for all
   * addresses, see `nft.dnatByMap`. Refused when it leads elsewhere already.
   */
  addPort(table: string, map: string, from: AddressAndPort, target: AddressAndPort): this {
    const [key, value] = [addressAndPortBytes(from), addressAndPortBytes(target)];
    return this.#element("newSetElem", { table, set: map, key, value, counts: true });
  }

  /**
   * Removes a port from a map, wherever it leads; `not_found` when it is not there. `commit` then
   * gives its count.
   */
  deletePort(table: string, map: string, from: AddressAndPort): this {
    const key = addressAndPortBytes(from);
    this.#removedPorts.push(placeOf(table, map, key));
    return this.#element("delSetElem", { table, set: map, key, isTold: true });
  }

  /** Removes all elements of a set or map, which stays. */
  flushSet(table: string, set: string): this {
    return this.#add({
      type: type("delSetElem"),
      flags: NLM_F_ACK,
      body: this.#body().text(1, table).text(2, set),
      verb: "flush the nftables set",
      about: `${table} ${set}`,
    });
  }

  #element(
    message: "newSetElem" | "delSetElem",
    element: {
      readonly table: string;
      readonly set: string;
      readonly key: Uint8Array;
      readonly value?: Uint8Array;
      readonly writeVerdict?: (data: NetlinkWriter) => void;
      readonly counts?: boolean;
      /** The kernel is to tell what the element was. */
      readonly isTold?: boolean;
    },
  ): this {
    const { table, set, key, value, writeVerdict, counts = false, isTold = false } = element;
    const flags = message === "newSetElem" ? NLM_F_CREATE : 0;
    return this.#add({
      type: type(message),
      flags: NLM_F_ACK | flags | (isTold ? NLM_F_ECHO : 0),
      body: this.#body()
        .text(1, table)
        .text(2, set)
        .nested(3, (list) => {
          list.nested(1, (item) => {
            item.nested(1, (data) => data.attribute(1, (w) => w.bytes(key)));
            if (value !== undefined)
              item.nested(2, (data) => data.attribute(1, (w) => w.bytes(value)));
            if (writeVerdict !== undefined) item.nested(2, writeVerdict);
            if (counts) item.nested(7, (expression) => expression.text(1, "counter"));
          });
        }),
      verb: message === "newSetElem" ? "add to the nftables set" : "remove from the nftables set",
      about: `${table} ${set}`,
    });
  }
}

/** linux/netfilter/nfnetlink.h: NFNLGRP_NFTABLES as a bit. */
const TABLES_GROUP = 1 << 6;
const removals: readonly number[] = [
  messages.delTable,
  messages.delChain,
  messages.delRule,
  messages.delSet,
  messages.delSetElem,
];

/** A table, or a chain, that a transaction changed in the packet filter, by any program. */
export interface FilterChange {
  readonly table: string;
  /** The chain whose rules changed. */
  readonly chain?: string;
  /** Something of the table is gone, or all of it. */
  readonly isRemoval: boolean;
  /** Whether this process made the change. */
  readonly isOwn: boolean;
}

/**
 * Calls for each change of the packet filter of this process's network namespace, until disposed.
 * When notices were lost because there were too many, `onLost` is called and no more come.
 */
export function watchNftables(
  onChange: (change: FilterChange) => void,
  onLost: () => void,
): Disposable {
  const channel = openChannel(new Fd(openSocket(NETLINK_NETFILTER, TABLES_GROUP)));
  // Of a transaction, by table and chain.
  const changed = new Map<string, Omit<FilterChange, "isOwn">>();
  channel.onData((bytes) => {
    for (const { type: kind, body: message, isOwn } of listMessages(Buffer.from(bytes))) {
      if (kind >> 8 !== NFNL_SUBSYS_NFTABLES) continue;
      const what = kind & 255;
      if (what !== messages.newGeneration) {
        const attributes = attributesOf(message);
        const table = readText(attributes.get(1));
        const isRule = what === messages.newRule || what === messages.delRule;
        const chain = isRule ? readText(attributes.get(2)) : undefined;
        const place = `${table} ${chain ?? ""}`;
        const isRemoval = changed.get(place)?.isRemoval === true || removals.includes(what);
        changed.set(place, { table, ...defined({ chain }), isRemoval });
        continue;
      }
      // The end of the transaction tells whose it was: the kernel's notices of elements do not.
      for (const change of changed.values()) onChange({ ...change, isOwn });
      changed.clear();
    }
  });
  channel.onEnd(onLost);
  return channel;
}

/** Each part of a concatenation begins at a multiple of four bytes. */
function addressAndPortBytes({ address, port }: AddressAndPort): Uint8Array {
  return Buffer.concat([ipBytes(address), portBytes(port), new Uint8Array(2)]);
}

function flowBytes({ protocol, ...end }: FlowEnd): Uint8Array {
  return Buffer.concat([Uint8Array.of(protocols[protocol], 0, 0, 0), addressAndPortBytes(end)]);
}

/** Of an Ethernet address in a concatenation. */
const MAC_SIZE = 8;

function sourceBytes({ link, mac, address }: FrameSource): Uint8Array {
  return Buffer.concat([interfaceBytes(link), macBytes(mac), new Uint8Array(2), ipBytes(address)]);
}

function portBytes(port: number): Uint8Array {
  if (!Number.isInteger(port) || port < 1 || port > 65535)
    throw new Fault("invalid", `${port} is not a port: 1 to 65535`);
  return Uint8Array.of(port >> 8, port & 255);
}

export interface NftablesOptions extends NetlinkOptions {
  /** `ip` unless told otherwise. */
  readonly family?: NftFamily;
}

/**
 * The packet filter (nf_tables, tables of one family) of one network namespace, over nfnetlink; the command
 * nft(8) is not needed. Changing it needs CAP_NET_ADMIN there (`denied`).
 */
export class Nftables implements Disposable {
  readonly family: NftFamily;
  readonly #netlink: Netlink;

  constructor({ family = "ip", ...options }: NftablesOptions = {}) {
    this.family = family;
    this.#netlink = openNetlink(NETLINK_NETFILTER, options);
  }

  #body(): NetlinkWriter {
    return bodyOf(families[this.family]);
  }

  /** An empty batch for its tables. */
  batch(): NftBatch {
    return new NftBatch(this.family);
  }

  /** Closes a socket that was kept; the next exchange opens another. */
  [Symbol.dispose](): void {
    this.#netlink[Symbol.dispose]();
  }

  /**
   * Carries the batch out. The first refusal of the kernel is thrown, and then nothing has changed.
   * Gives how many packets each port that `deletePort` took away has led elsewhere, in their order;
   * undefined where the kernel did not count them.
   */
  async commit(batch: NftBatch): Promise<readonly (bigint | undefined)[]> {
    const replies = await this.#netlink.exchange(batch.requests);
    const counts = new Map(
      replies
        .flat()
        .filter(({ type: kind }) => kind === type("delSetElem"))
        .flatMap(({ body }) => countsIn(body)),
    );
    return batch.removedPorts.map((place) => counts.get(place));
  }

  /**
   * Forgets the UDP flows to a port that is gone, translated ones too: a client that goes on
   * sending would be sent there for ever. `not_found` or `invalid` before Linux 6.11.
   */
  async forgetUdpFlows({ address, port }: AddressAndPort): Promise<void> {
    await this.#netlink.exchange([forgetUdpFlows(address, port)]);
  }

  /** The names of the tables of the family, of every program. */
  async tables(): Promise<string[]> {
    const replies = await this.#dump("getTable", this.#body(), "list the nftables tables");
    return replies.map((reply) => readText(attributesOf(reply).get(1)));
  }

  /** The chains of all tables of the family, of every program. */
  async chains(): Promise<Chain[]> {
    const replies = await this.#dump("getChain", this.#body(), "list the nftables chains");
    return replies.map((reply) => chainOf(attributesOf(reply)));
  }

  /** The base chains that packets of the family meet, those of family `inet` too, of every program. */
  async hookedChains(): Promise<HookedChain[]> {
    const replies = await this.#dump(
      "getChain",
      bodyOf(NFPROTO_UNSPEC),
      "list the nftables chains",
    );
    return replies
      .flatMap((reply) => hookedChain(reply) ?? [])
      .filter(({ family }) => family === this.family || family === "inet");
  }

  /** A chain of any program's; undefined when it is missing. */
  async chain(table: string, name: string): Promise<Chain | undefined> {
    const request = {
      type: type("getChain"),
      flags: NLM_F_ACK,
      body: this.#body().text(1, table).text(3, name).done(),
      verb: "look up the nftables chain",
      about: `${table} ${name}`,
    };
    const [replies = []] = await this.#netlink.exchange([request]).catch((error) => {
      if (isFault(error, "not_found")) return [];
      throw error;
    });
    return replies.map((reply) => chainOf(attributesOf(reply.body)))[0];
  }

  /** The rules of a chain in their order; empty when the table or chain is missing. */
  async rules(
    table: string,
    chain: string,
    family: keyof typeof families = this.family,
  ): Promise<Rule[]> {
    const about = `${table} ${chain}`;
    const writer = bodyOf(families[family]).text(1, table).text(2, chain);
    const replies = await this.#dump("getRule", writer, "list the nftables rules of", about).catch(
      nothingWhenMissing,
    );
    return replies.map(ruleOf);
  }

  /** Those with any of the comments; empty when the table or chain is missing. Others, of which there may be thousands, are not read whole. */
  async marked(table: string, chain: string, comments: ReadonlySet<string>): Promise<Rule[]> {
    const writer = this.#body().text(1, table).text(2, chain);
    const replies = await this.#dump("getRule", writer, "list the nftables rules of").catch(
      nothingWhenMissing,
    );
    const [only] = comments.size === 1 ? comments : [];
    return replies
      .filter((reply) => only === undefined || reply.includes(only))
      .map(ruleOf)
      .filter(({ comment }) => comments.has(comment));
  }

  /** The keys of a set's or map's elements, in network byte order, as the kernel has them. */
  async elements(table: string, set: string): Promise<Buffer[]> {
    const writer = this.#body().text(1, table).text(2, set);
    const replies = await this.#dump(
      "getSetElem",
      writer,
      "list the nftables set",
      `${table} ${set}`,
    );
    return replies.flatMap(elementsIn).flatMap((element) => nested(element, 1).get(1) ?? []);
  }

  /** What an element of `addFlowCounters` has counted; undefined where there is none. */
  async flowCount(table: string, set: string, flow: FlowEnd): Promise<PacketCount | undefined> {
    const request = {
      type: type("getSetElem"),
      flags: NLM_F_ACK,
      body: this.#body()
        .text(1, table)
        .text(2, set)
        .nested(3, (list) => {
          list.nested(1, (item) => {
            item.nested(1, (data) => data.attribute(1, (w) => w.bytes(flowBytes(flow))));
          });
        })
        .done(),
      verb: "look up in the nftables set",
      about: `${table} ${set}`,
    };
    const [replies = []] = await this.#netlink.exchange([request]).catch((error) => {
      if (isFault(error, "not_found")) return [];
      throw error;
    });
    const [element] = replies.flatMap(({ body }) => elementsIn(body));
    const counter = element && nested(element, 7).get(2);
    if (counter === undefined) return undefined;
    const counts = readAttributes(counter);
    const number = (at: number) => counts.get(at)?.readBigUInt64BE() ?? 0n;
    return { bytes: number(1), packets: number(2) };
  }

  async #dump(
    message: "getTable" | "getChain" | "getRule" | "getSetElem",
    writer: NetlinkWriter,
    verb: string,
    about?: string,
  ): Promise<Buffer[]> {
    const [replies = []] = await this.#netlink.exchange([
      {
        type: type(message),
        flags: NLM_F_DUMP,
        body: writer.done(),
        verb,
        ...defined({ about }),
      },
    ]);
    return replies.map((reply) => reply.body);
  }
}

function ruleOf(reply: Buffer): Rule {
  const attributes = attributesOf(reply);
  return {
    handle: attributes.get(3)?.readBigUInt64BE() ?? 0n,
    comment: commentOf(attributes.get(7)),
    ...readMeaning(attributes.get(4) ?? Buffer.alloc(0)),
  };
}

/** The packets that the elements of a set have counted, by their places. */
function countsIn(message: Buffer): [place: string, packets: bigint | undefined][] {
  const attributes = attributesOf(message);
  const inside = (bytes: Buffer | undefined, kind: number) =>
    bytes && readAttributes(bytes).get(kind);
  return [...listAttributes(attributes.get(3) ?? Buffer.alloc(0))].map(([, element]) => [
    placeOf(
      readText(attributes.get(1)),
      readText(attributes.get(2)),
      inside(inside(element, 1), 1) ?? Buffer.alloc(0),
    ),
    inside(inside(inside(element, 7), 2), 2)?.readBigUInt64BE(),
  ]);
}

/** Names an element of a set. */
function placeOf(table: string, set: string, key: Uint8Array): string {
  return `${table} ${set} ${Buffer.from(key).toString("hex")}`;
}

/** What follows struct nfgenmsg. */
function attributesOf(reply: Buffer): Map<number, Buffer> {
  return readAttributes(reply.subarray(4));
}

function elementsIn(reply: Buffer): Buffer[] {
  const list = attributesOf(reply).get(3) ?? Buffer.alloc(0);
  return [...listAttributes(list)].map(([, element]) => element);
}

/** The attributes within one of a span's. */
function nested(span: Buffer, at: number): Map<number, Buffer> {
  return readAttributes(readAttributes(span).get(at) ?? Buffer.alloc(0));
}

function chainOf(attributes: Map<number, Buffer>): Chain {
  const policy = attributes.get(5);
  return {
    table: readText(attributes.get(1)),
    name: readText(attributes.get(3)),
    ...(policy && {
      policy: policy.readUInt32BE() === 0 ? ("drop" as const) : ("accept" as const),
    }),
  };
}

function nameOf<Name extends string>(names: Record<Name, number>, number: number | undefined) {
  return (Object.keys(names) as Name[]).find((name) => names[name] === number);
}

function hookedChain(reply: Buffer): HookedChain | undefined {
  const attributes = attributesOf(reply);
  const place = attributes.get(4);
  const family = nameOf(families, reply[0]);
  const hook = place && nameOf(hooks, readAttributes(place).get(1)?.readUInt32BE());
  if (!family || !hook) return undefined;
  return { ...chainOf(attributes), family, hook, type: readText(attributes.get(7)) };
}

function nothingWhenMissing(error: unknown): Buffer[] {
  if (isFault(error, "not_found")) return [];
  throw error;
}
