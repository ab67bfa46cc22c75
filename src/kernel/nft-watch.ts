import { defined } from "#base";
import { openChannel } from "./channel.ts";
import { Fd } from "./fd.ts";
import { listMessages, NETLINK_NETFILTER, openSocket, readText } from "./netlink.ts";
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
