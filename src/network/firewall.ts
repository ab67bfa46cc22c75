import { isFault } from "#base";
import { type Nftables, type NftBatch, nft } from "#kernel";
import type { Bridge } from "./bridge.ts";
import { addSourceCheck, removeSourceCheck } from "./source-check.ts";
import { firstOf, formatAddress } from "./subnet.ts";

const FORWARD = "forward";
const POSTROUTING = "postrouting";
/**
 * The user's own rules, before all others of the hook `forward`: made once, and neither flushed nor
 * removed while it has any. Longer than any interface's name, after which other chains are named.
 */
export const userChain = "rules-of-the-user";
/** A map in which the instance's bridges are, each with the verdict to return: what comes from them is not looked up further. */
export const ownBridges = "own-bridges";
/** Maps from a bridge to what happens to packets that are forwarded to it, from it, and that leave the host from it. */
const maps = { to: "to-bridge", from: "from-bridge", source: "source-bridge" } as const;
/** Marks the rules of the base chains, which are the same for all bridges. */
const BASE_MARK = "thimble: by bridge";
/** How many each chain has. */
const baseRules = [
  [FORWARD, 3],
  [POSTROUTING, 1],
] as const;

/** A bridge, and which packets may pass between it and others. */
export interface FilteredBridge extends Pick<Bridge, "name" | "subnets"> {
  /** Nothing passes between the bridge and other interfaces. */
  readonly isInternal: boolean;
  /** Containers of the bridge reach each other. */
  readonly connectsContainers: boolean;
  /** Packets that leave the bridge get the host's address. */
  readonly masquerades: boolean;
}

/**
 * The packet filter for bridges of one family, replaced as a whole or not at all: in the instance's table each has
 * a chain with its name, for packets that are forwarded to it, and one for its source address. The
 * base chains find them by maps, so that the number of bridges costs a packet nothing. Before them come
 * the rules of the user, in a chain that is made here and then left alone.
 *
 * Containers reach everything outside, under the host's address when they leave the bridge. A
 * bridge accepts packets of its own, answers, and packets that were translated to a published port;
 * so bridges are separate from one another. An internal one accepts packets of its own alone, and
 * nothing is forwarded from it. Packets between two ports of a bridge do not pass here, unless the
 * kernel is told so (br_netfilter); ports of a bridge that does not connect them are isolated.
 */
export async function installRules(
  filter: Nftables,
  table: string,
  bridges: readonly FilteredBridge[],
  { hasBase }: { readonly hasBase: boolean } = { hasBase: false },
): Promise<void> {
  const batch = filter
    .batch()
    .addTable(table)
    .addBaseChain({ table, name: POSTROUTING, type: "nat", hook: "postrouting", priority: 100 })
    .addBaseChain({ table, name: FORWARD, type: "filter", hook: "forward", priority: 0 });
  for (const map of [ownBridges, ...Object.values(maps)]) batch.addVerdictMap(table, map);
  if (!hasBase && !(await hasBaseRules(filter, table))) {
    const forward = { table, chain: FORWARD, comment: BASE_MARK };
    // Earlier versions had rules for each bridge there.
    batch
      .flushChain(table, FORWARD)
      .flushChain(table, POSTROUTING)
      .addChain(table, userChain)
      .addRule({ ...forward, expressions: [nft.jump(userChain)] })
      .addRule({ ...forward, expressions: [nft.oifnameVerdict(maps.to)] })
      .addRule({ ...forward, expressions: [nft.iifnameVerdict(maps.from)] })
      .addRule({
        ...{ table, chain: POSTROUTING, comment: BASE_MARK },
        expressions: [nft.iifnameVerdict(maps.source)],
      });
  }
  for (const bridge of bridges) addBridge(batch, table, inFamily(filter, bridge));
  if (filter.family === "ip6")
    addSourceCheck(
      batch,
      table,
      bridges.map(({ name }) => name),
    );
  await filter.commit(batch);
}

async function hasBaseRules(filter: Nftables, table: string): Promise<boolean> {
  const whole = baseRules.map(async ([chain, count]) => {
    const rules = await filter.rules(table, chain);
    return rules.length === count && rules.every(({ comment }) => comment === BASE_MARK);
  });
  return (await Promise.all(whole)).every((isWhole) => isWhole);
}

/** A bridge without a network of the family leads nowhere there, whatever addresses its containers give themselves. */
function inFamily({ family }: Nftables, bridge: FilteredBridge): FilteredBridge {
  const version = family === "ip" ? 4 : 6;
  const subnets = bridge.subnets.filter((subnet) => subnet.version === version);
  return { ...bridge, subnets, isInternal: bridge.isInternal || subnets.length === 0 };
}

function addBridge(batch: NftBatch, table: string, bridge: FilteredBridge): void {
  const { name, isInternal, subnets } = bridge;
  const [own, source] = [
    { table, chain: name },
    { table, chain: sourceChain(name) },
  ];
  for (const { chain } of [own, source]) batch.addChain(table, chain).flushChain(table, chain);
  const fromItself = bridge.connectsContainers ? nft.accept() : nft.drop();
  batch.addRule({ ...own, expressions: [nft.iifname(name), fromItself] });
  if (!isInternal)
    batch
      .addRule({ ...own, expressions: [nft.ctState("established", "related"), nft.accept()] })
      .addRule({ ...own, expressions: [nft.ctDestinationTranslated(), nft.accept()] });
  batch.addRule({ ...own, expressions: [nft.drop()] });
  for (const subnet of bridge.masquerades && !isInternal ? subnets : []) {
    const network = { address: formatAddress(firstOf(subnet)), prefixLength: subnet.prefixLength };
    batch.addRule({
      ...source,
      expressions: [nft.ipSource(network), nft.oifnameNot(name), nft.masquerade()],
    });
  }
  batch
    .addVerdict(table, ownBridges, name, "return")
    .addVerdict(table, maps.to, name, { jump: own.chain })
    .addVerdict(table, maps.from, name, isInternal ? "drop" : "accept")
    .addVerdict(table, maps.source, name, { jump: source.chain });
}

const SOURCE = "source-address-of-";

/** Longer than any interface's name. */
function sourceChain(bridge: string): string {
  return `${SOURCE}${bridge}`;
}

/** The names of the bridges that the table has rules for. */
export async function filteredBridges(filter: Nftables, table: string): Promise<string[]> {
  return (await filter.chains())
    .filter((chain) => chain.table === table && chain.policy === undefined)
    .map((chain) => chain.name)
    .filter((name) => name !== userChain && !name.startsWith(SOURCE));
}

/** Removes the rules of one bridge; does nothing when it has none. */
export async function removeRules(filter: Nftables, table: string, bridge: string): Promise<void> {
  if ((await filter.chain(table, bridge)) === undefined) return;
  const batch = filter.batch();
  if ((await filter.chain(table, sourceChain(bridge))) !== undefined) {
    // Earlier versions had no such map.
    batch.addVerdictMap(table, ownBridges).addVerdict(table, ownBridges, bridge, "return");
    for (const map of [ownBridges, ...Object.values(maps)]) batch.deleteVerdict(table, map, bridge);
    batch.flushChain(table, sourceChain(bridge)).deleteChain(table, sourceChain(bridge));
  }
  if (filter.family === "ip6") removeSourceCheck(batch, table, bridge);
  await filter.commit(batch.flushChain(table, bridge).deleteChain(table, bridge));
}

/** Removes the table with all that is in it, unless there are rules of the user; does nothing when it is missing. */
export async function removeTable(filter: Nftables, table: string): Promise<void> {
  if ((await filter.rules(table, userChain)).length > 0) return await emptyTable(filter, table);
  try {
    await filter.commit(filter.batch().deleteTable(table));
  } catch (error) {
    if (!isFault(error, "not_found")) throw error;
  }
}

/** Leaves the chain of the user alone, and maps without elements. */
async function emptyTable(filter: Nftables, table: string): Promise<void> {
  const chains = (await filter.chains()).filter(
    (chain) => chain.table === table && chain.name !== userChain,
  );
  const batch = filter.batch();
  for (const { name } of chains) batch.flushChain(table, name);
  for (const map of [ownBridges, ...Object.values(maps)])
    batch.addVerdictMap(table, map).flushSet(table, map);
  for (const { name } of chains) batch.deleteChain(table, name);
  await filter.commit(batch);
}
