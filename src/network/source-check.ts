import { type NftBatch, nft } from "#kernel";

const SOURCES = "sources";
/** A map from the bridges whose packets are checked to the chain that does it. */
const CHECKED = "checked-bridges";
/** Its name begins as those of the other chains that are of no one bridge. */
const CHECK = "source-address-of-containers";

/**
 * What comes from these bridges has a source that is routed to its bridge, or is dropped: no
 * container can speak for an address of another network. For family `ip6`, which has no rp_filter.
 */
export function addSourceCheck(batch: NftBatch, table: string, bridges: readonly string[]): void {
  const before = {
    table,
    name: SOURCES,
    type: "filter",
    hook: "prerouting",
    priority: -300,
  } as const;
  batch
    .addBaseChain(before)
    .addChain(table, CHECK)
    .addVerdictMap(table, CHECKED)
    .flushChain(table, SOURCES)
    .flushChain(table, CHECK)
    .addRule({ table, chain: SOURCES, expressions: [nft.iifnameVerdict(CHECKED)] })
    .addRule({ table, chain: CHECK, expressions: [nft.sourceIsElsewhere(), nft.drop()] });
  for (const bridge of bridges) batch.addVerdict(table, CHECKED, bridge, { jump: CHECK });
}

/** A bridge goes; that of a table which had no check yet, too. */
export function removeSourceCheck(batch: NftBatch, table: string, bridge: string): void {
  addSourceCheck(batch, table, [bridge]);
  batch.deleteVerdict(table, CHECKED, bridge);
}
