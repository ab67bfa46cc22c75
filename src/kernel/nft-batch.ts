import { Fault } from "#base";
import {
  type NetlinkRequest,
  NetlinkWriter,
  NLM_F_ACK,
  NLM_F_APPEND,
  NLM_F_CREATE,
  NLM_F_ECHO,
  NLM_F_EXCL,
} from "./netlink.ts";
import {
  type AddressAndPort,
  addressAndPortBytes,
  type FlowEnd,
  type FrameSource,
  flowBytes,
  MAC_SIZE,
  sourceBytes,
} from "./nft-elements.ts";
import {
  type Expression,
  IFNAMSIZ,
  interfaceBytes,
  type MapVerdict,
  verdictData,
} from "./nft-expressions.ts";
import {
  bodyOf,
  families,
  hooks,
  messageType,
  NFNL_SUBSYS_NFTABLES,
  type NftFamily,
} from "./nft-messages.ts";
import { ipBytes } from "./rtnetlink.ts";

const NFNL_MSG_BATCH_BEGIN = 16;
const NFNL_MSG_BATCH_END = 17;
/** Of family netdev: what comes in by an interface, and what goes out. */
const deviceHooks = { ingress: 0, egress: 1 } as const;
/** The types of nft(8), which shows elements by them, with their bytes: ipv4_addr, ipv6_addr, inet_service. */
const addressTypes = { ip: { type: 7, bytes: 4 }, ip6: { type: 8, bytes: 16 } } as const;
const NFT_SET_MAP = 8;
const TYPE_ETHER_ADDR = 9;
const TYPE_INET_PROTOCOL = 12;
const TYPE_INET_SERVICE = 13;
const TYPE_IFNAME = 41;
/** NFT_DATA_VERDICT: the values of a map are verdicts. */
const TYPE_VERDICT = 0xffffff00;

/** The family of tables whose chains see frames: at interfaces, or on bridges. */
type FrameFamily = "netdev" | "bridge";

/** libnftnl's user data of a set: type 0 is the byte order of keys, and 1 the host's, without which nft(8) shows no names of interfaces. */
const KEYS_OF_HOST = Buffer.concat([Uint8Array.of(0, 4), new Uint8Array(Uint32Array.of(1).buffer)]);

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

/** libnftnl's user data: type 0 is the comment, with its length and a NUL. */
function commentBytes(comment: string): Uint8Array {
  const text = Buffer.from(`${comment}\0`);
  if (text.length > 129) throw new Fault("invalid", "a rule's comment takes at most 128 bytes");
  return Buffer.concat([Uint8Array.of(0, text.length), text]);
}

/** Each element of a set has a counter of its own. */
function countingElements(expression: NetlinkWriter): void {
  expression.text(1, "counter").nested(2, () => undefined);
}

/** Names an element of a set. */
export function placeOf(table: string, set: string, key: Uint8Array): string {
  return `${table} ${set} ${Buffer.from(key).toString("hex")}`;
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
      type: messageType("newTable"),
      flags: NLM_F_ACK | NLM_F_CREATE | flags,
      body: this.#body().text(1, name),
      verb: "create the nftables table",
      about: name,
    });
  }

  /** With all that is in it; `not_found` when there is no such table. */
  deleteTable(name: string): this {
    return this.#add({
      type: messageType("delTable"),
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
      type: messageType("newChain"),
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
      type: messageType("newChain"),
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
      type: messageType("newChain"),
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
      type: messageType("newRule"),
      flags: NLM_F_ACK | NLM_F_CREATE | (first ? 0 : NLM_F_APPEND),
      body: writer,
      verb: "add a rule to the nftables chain",
      about: `${table} ${chain}`,
    });
  }

  /** Deletes the rules of a chain, which stays; `not_found` when there is no such chain. */
  flushChain(table: string, chain: string): this {
    return this.#add({
      type: messageType("delRule"),
      flags: NLM_F_ACK,
      body: this.#body().text(1, table).text(2, chain),
      verb: "flush the nftables chain",
      about: `${table} ${chain}`,
    });
  }

  /** Deletes an empty chain to which no rule jumps; `not_found` when there is no such chain. */
  deleteChain(table: string, chain: string): this {
    return this.#add({
      type: messageType("delChain"),
      flags: NLM_F_ACK,
      body: this.#body().text(1, table).text(3, chain),
      verb: "delete the nftables chain",
      about: `${table} ${chain}`,
    });
  }

  /** Deletes the rule with this handle; `not_found` when it is gone. */
  deleteRule(table: string, chain: string, handle: bigint): this {
    return this.#add({
      type: messageType("delRule"),
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
      w.nested(17, countingElements);
    });
  }

  /** A set of interfaces' names that counts packets, for `nft.countIncoming`. */
  addLinkCounters(table: string, name: string): this {
    return this.#addSet(table, name, (w) => {
      w.be32Attribute(3, 0).be32Attribute(4, TYPE_IFNAME).be32Attribute(5, IFNAMSIZ);
      w.attribute(13, (data) => data.bytes(KEYS_OF_HOST)).nested(17, countingElements);
    });
  }

  /** Adds to a set that counts; one that is there goes on counting. */
  addLink(table: string, set: string, link: string): this {
    return this.#element("newSetElem", { table, set, key: interfaceBytes(link) });
  }

  /** Removes from a set that counts; `not_found` when it is not there. */
  deleteLink(table: string, set: string, link: string): this {
    return this.#element("delSetElem", { table, set, key: interfaceBytes(link) });
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
      type: messageType("newSet"),
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
      type: messageType("delSetElem"),
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
      type: messageType(message),
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
