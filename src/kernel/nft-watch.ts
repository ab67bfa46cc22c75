import { defined } from "#base";
import { openChannel } from "./channel.ts";
import { Fd } from "./fd.ts";
import {
  listMessages,
  NETLINK_NETFILTER,
  type NetlinkNotice,
  openSocket,
  readText,
} from "./netlink.ts";
import { attributesOf, messages, NFNL_SUBSYS_NFTABLES } from "./nft-messages.ts";

/** linux/netfilter/nfnetlink.h: NFNLGRP_NFTABLES as a bit. */
const TABLES_GROUP = 1 << 6;
const removals: readonly number[] = [
  messages.delTable,
  messages.delChain,
  messages.delRule,
  messages.delSet,
  messages.delSetElem,
];

/** A table, or a chain, that a transaction of another program changed in the packet filter. */
export interface FilterChange {
  readonly table: string;
  /** The chain whose rules changed. */
  readonly chain?: string;
  /** Something of the table is gone, or all of it. */
  readonly isRemoval: boolean;
}

/**
 * Calls for each change that other processes make in the packet filter of this process's network
 * namespace, until disposed.
 * When notices were lost because there were too many, `onLost` is called and no more come.
 */
export function watchNftables(
  onChange: (change: FilterChange) => void,
  onLost: () => void,
): Disposable {
  const channel = openChannel(new Fd(openSocket(NETLINK_NETFILTER, TABLES_GROUP)));
  let transaction: NetlinkNotice[] = [];
  channel.onData((bytes) => {
    for (const notice of listMessages(Buffer.from(bytes))) {
      if (notice.type >> 8 !== NFNL_SUBSYS_NFTABLES) continue;
      if ((notice.type & 255) !== messages.newGeneration) {
        transaction.push(notice);
        continue;
      }
      // The end of the transaction tells whose it was: the kernel's notices of elements do not.
      if (!notice.isOwn) for (const change of changesOf(transaction)) onChange(change);
      transaction = [];
    }
  });
  channel.onEnd(onLost);
  return channel;
}

/** Of a transaction, by table and chain. */
function changesOf(transaction: readonly NetlinkNotice[]): Iterable<FilterChange> {
  const changed = new Map<string, FilterChange>();
  for (const { type, body } of transaction) {
    const what = type & 255;
    const attributes = attributesOf(body);
    const table = readText(attributes.get(1));
    const isRule = what === messages.newRule || what === messages.delRule;
    const chain = isRule ? readText(attributes.get(2)) : undefined;
    const place = `${table} ${chain ?? ""}`;
    const isRemoval = changed.get(place)?.isRemoval === true || removals.includes(what);
    changed.set(place, { table, ...defined({ chain }), isRemoval });
  }
  return changed.values();
}
