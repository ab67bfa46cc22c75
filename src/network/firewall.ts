import { isFault } from "#base";
import { type Nftables, NftBatch, nft } from "#kernel";
import type { Bridge } from "./bridge.ts";
import { formatIpv4 } from "./ipv4.ts";

/** Where Docker's iptables rules ask to be told of others, and where the policy is that drops. */
const DOCKER_TABLE = "filter";
const DOCKER_CHAIN = "DOCKER-USER";
const FORWARD_CHAIN = "FORWARD";

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

/**
 * An accept of ours does not help against the drop of another table's chain. Where
 * Docker (or anyone with iptables-nft) has set the policy of FORWARD to drop, two
 * rules marked as ours let the bridge's packets through there. Rules of
 * iptables-legacy are out of reach.
 */
export async function passForeignFilter(
  filter: Nftables,
  table: string,
  bridge: string,
): Promise<void> {
  const chains = (await filter.chains()).filter((chain) => chain.table === DOCKER_TABLE);
  const drops = chains.some((chain) => chain.name === FORWARD_CHAIN && chain.policy === "drop");
  if (!drops) return;
  const dockers = chains.some((chain) => chain.name === DOCKER_CHAIN);
  const chain = dockers ? DOCKER_CHAIN : FORWARD_CHAIN;
  const there = await filter.rules(DOCKER_TABLE, chain);
  if (there.some((rule) => rule.comment === table)) return;
  const place = { table: DOCKER_TABLE, chain, first: true, comment: table };
  await filter.commit(
    new NftBatch()
      .addRule({ ...place, expressions: [nft.iifname(bridge), nft.counter(), nft.accept()] })
      .addRule({ ...place, expressions: [nft.oifname(bridge), nft.counter(), nft.accept()] }),
  );
}

/** Puts back what someone flushed (a firewall that reloads), and passes a Docker that came later. */
export async function keepRules(filter: Nftables, table: string, bridge: Bridge): Promise<void> {
  if (!(await filter.tables()).includes(table)) await filter.commit(bridgeRules(table, bridge));
  await passForeignFilter(filter, table, bridge.name);
}

/** Removes the table, and our rules in the tables of others; harmless when there are none. */
export async function removeRules(filter: Nftables, table: string): Promise<void> {
  for (const chain of [DOCKER_CHAIN, FORWARD_CHAIN]) {
    const ours = (await filter.rules(DOCKER_TABLE, chain)).filter((rule) => rule.comment === table);
    const batch = new NftBatch();
    for (const rule of ours) batch.deleteRule(DOCKER_TABLE, chain, rule.handle);
    if (ours.length > 0) await filter.commit(batch);
  }
  try {
    await filter.commit(new NftBatch().deleteTable(table));
  } catch (error) {
    if (!isFault(error, "not_found")) throw error;
  }
}
