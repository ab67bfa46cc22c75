import { isFault } from "#base";
import { type Nftables, NftBatch, nft, type RuleOptions } from "#kernel";
import type { Bridge } from "./bridge.ts";
import { formatIpv4 } from "./ipv4.ts";

const FORWARD = "forward";
const POSTROUTING = "postrouting";

/** A bridge, and which packets may pass between it and others. */
export interface FilteredBridge extends Pick<Bridge, "name" | "subnet"> {
  /** Nothing passes between the bridge and other interfaces. */
  readonly isInternal: boolean;
  /** Containers of the bridge reach each other. */
  readonly connectsContainers: boolean;
  /** Packets that leave the bridge get the host's address. */
  readonly masquerades: boolean;
}

/**
 * The packet filter for one bridge, replaced as a whole or not at all: in the instance's table a
 * chain with the bridge's name, for packets that are forwarded to it, and for the bridge rules in
 * each base chain, marked with its name.
 *
 * Containers reach everything outside, under the host's address when they leave the bridge. A
 * bridge accepts packets of its own, answers, and packets that were translated to a published port;
 * so bridges are separate from one another. An internal one accepts packets of its own alone, and
 * nothing is forwarded from it. Packets between two ports of a bridge do not pass here, unless the
 * kernel is told so (br_netfilter); see `createVeth` for a bridge that does not connect them.
 */
export async function installRules(
  filter: Nftables,
  table: string,
  bridge: FilteredBridge,
): Promise<void> {
  const { name, isInternal } = bridge;
  const own = { table, chain: name };
  const forward = { table, chain: FORWARD, comment: name };
  const batch = new NftBatch()
    .addTable(table)
    .addBaseChain({ table, name: POSTROUTING, type: "nat", hook: "postrouting", priority: 100 })
    .addBaseChain({ table, name: FORWARD, type: "filter", hook: "forward", priority: 0 })
    .addChain(table, name)
    .flushChain(table, name);
  // Before there were several bridges, rules had no mark.
  await deleteMarked(batch, { filter, table, marks: [name, ""] });
  const fromItself = bridge.connectsContainers ? nft.accept() : nft.drop();
  batch.addRule({ ...own, expressions: [nft.iifname(name), fromItself] });
  if (!isInternal)
    batch
      .addRule({ ...own, expressions: [nft.ctState("established", "related"), nft.accept()] })
      .addRule({ ...own, expressions: [nft.ctDestinationTranslated(), nft.accept()] });
  batch
    .addRule({ ...own, expressions: [nft.drop()] })
    .addRule({ ...forward, expressions: [nft.oifname(name), nft.jump(name)] });
  if (isInternal) batch.addRule({ ...forward, expressions: [nft.iifname(name), nft.drop()] });
  if (bridge.masquerades && !isInternal) batch.addRule(masqueradeRule(table, bridge));
  await filter.commit(batch);
}

function masqueradeRule(table: string, { name, subnet }: FilteredBridge): RuleOptions {
  const network = { address: formatIpv4(subnet.base), prefixLength: subnet.prefixLength };
  return {
    table,
    chain: POSTROUTING,
    expressions: [nft.ipSource(network), nft.oifnameNot(name), nft.masquerade()],
    comment: name,
  };
}

async function deleteMarked(
  batch: NftBatch,
  where: { readonly filter: Nftables; readonly table: string; readonly marks: readonly string[] },
): Promise<void> {
  const { filter, table, marks } = where;
  for (const chain of [FORWARD, POSTROUTING]) {
    for (const rule of await filter.rules(table, chain))
      if (marks.includes(rule.comment)) batch.deleteRule(table, chain, rule.handle);
  }
}

/** The names of the bridges that the table has rules for. */
export async function filteredBridges(filter: Nftables, table: string): Promise<string[]> {
  return (await filter.chains())
    .filter((chain) => chain.table === table && chain.policy === undefined)
    .map((chain) => chain.name);
}

/** Removes the rules of one bridge; does nothing when it has none. */
export async function removeRules(filter: Nftables, table: string, bridge: string): Promise<void> {
  if (!(await filteredBridges(filter, table)).includes(bridge)) return;
  const batch = new NftBatch();
  await deleteMarked(batch, { filter, table, marks: [bridge] });
  await filter.commit(batch.flushChain(table, bridge).deleteChain(table, bridge));
}

/** Removes the table with all that is in it; does nothing when it is missing. */
export async function removeTable(filter: Nftables, table: string): Promise<void> {
  try {
    await filter.commit(new NftBatch().deleteTable(table));
  } catch (error) {
    if (!isFault(error, "not_found")) throw error;
  }
}
