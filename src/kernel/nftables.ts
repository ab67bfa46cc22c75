import { defined, isFault } from "#base";
import { forgetUdpFlows } from "./conntrack.ts";
import {
  listAttributes,
  NETLINK_NETFILTER,
  type Netlink,
  type NetlinkOptions,
  type NetlinkWriter,
  NLM_F_ACK,
  NLM_F_DUMP,
  openNetlink,
  readAttributes,
  readText,
} from "./netlink.ts";
import { NftBatch, placeOf } from "./nft-batch.ts";
import { type AddressAndPort, type FlowEnd, flowBytes } from "./nft-elements.ts";
import { interfaceBytes } from "./nft-expressions.ts";
import {
  attributesOf,
  bodyOf,
  families,
  hooks,
  messageType,
  NFPROTO_UNSPEC,
  type NftFamily,
} from "./nft-messages.ts";
import { type RuleMeaning, readMeaning } from "./nft-rule-reader.ts";

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

/** What an element of a set has counted; bytes of packets with their headers. */
export interface PacketCount {
  readonly packets: bigint;
  readonly bytes: bigint;
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
        .filter(({ type: kind }) => kind === messageType("delSetElem"))
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
      type: messageType("getChain"),
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
  flowCount(table: string, set: string, flow: FlowEnd): Promise<PacketCount | undefined> {
    return this.#count({ table, set, key: flowBytes(flow) });
  }

  /** What an element of `addLinkCounters` has counted, in a table of family `bridge`; undefined where there is none. */
  linkCount(table: string, set: string, link: string): Promise<PacketCount | undefined> {
    return this.#count({ table, set, key: interfaceBytes(link), family: "bridge" });
  }

  async #count({
    table,
    set,
    key,
    family = this.family,
  }: {
    readonly table: string;
    readonly set: string;
    readonly key: Uint8Array;
    readonly family?: keyof typeof families;
  }): Promise<PacketCount | undefined> {
    const request = {
      type: messageType("getSetElem"),
      flags: NLM_F_ACK,
      body: bodyOf(families[family])
        .text(1, table)
        .text(2, set)
        .nested(3, (list) => {
          list.nested(1, (item) => {
            item.nested(1, (data) => data.attribute(1, (w) => w.bytes(key)));
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
        type: messageType(message),
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

function commentOf(data: Buffer | undefined): string {
  if (data === undefined || data.length < 2 || data[0] !== 0) return "";
  return readText(data.subarray(2, 2 + (data[1] ?? 0)));
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
