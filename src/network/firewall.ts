import { isFault } from "#base";
import { type Nftables, NftBatch, nft } from "#kernel";
import type { Bridge } from "./bridge.ts";
import { formatIpv4 } from "./ipv4.ts";

/**
 * The packet filter for a bridge, made anew as a whole:
 * containers reach everything, under the host's address when they leave the bridge;
 * from outside only answers and what was translated to a published port come in.
 */
export function bridgeRules(table: string, bridge: Bridge): NftBatch {
  const network = {
    address: formatIpv4(bridge.subnet.base),
    prefixLength: bridge.subnet.prefixLength,
  };
  const { name } = bridge;
  const forward = { table, chain: "forward" };
  return new NftBatch()
    .replaceTable(table)
    .addBaseChain({ table, name: "postrouting", type: "nat", hook: "postrouting", priority: 100 })
    .addBaseChain({ table, name: "forward", type: "filter", hook: "forward", priority: 0 })
    .addRule({
      table,
      chain: "postrouting",
      expressions: [nft.ipSource(network), nft.oifnameNot(name), nft.masquerade()],
    })
    .addRule({ ...forward, expressions: [nft.iifname(name), nft.accept()] })
    .addRule({
      ...forward,
      expressions: [nft.oifname(name), nft.ctState("established", "related"), nft.accept()],
    })
    .addRule({
      ...forward,
      expressions: [nft.oifname(name), nft.ctDestinationTranslated(), nft.accept()],
    })
    .addRule({ ...forward, expressions: [nft.oifname(name), nft.drop()] });
}

/** Puts back what someone flushed: a firewall that reloads. */
export async function keepRules(filter: Nftables, table: string, bridge: Bridge): Promise<void> {
  if (!(await filter.tables()).includes(table)) await filter.commit(bridgeRules(table, bridge));
}

/** Removes the table; harmless when there is none. */
export async function removeRules(filter: Nftables, table: string): Promise<void> {
  try {
    await filter.commit(new NftBatch().deleteTable(table));
  } catch (error) {
    if (!isFault(error, "not_found")) throw error;
  }
}
