import { type FlowEnd, type Nftables, type NftBatch, nft, type PacketCount } from "#kernel";

/**
 * Sets whose elements count the packets of translated connections, by the container's address and the
 * host's port, each with the chain that looks them up: what clients sent is seen last behind all
 * translation, what the container sent first.
 */
const counted = {
  received: { set: "ports-received", chain: "count-received", hook: "postrouting", priority: 110 },
  sent: { set: "ports-sent", chain: "count-sent", hook: "prerouting", priority: -90 },
} as const;
const directions = { received: "original", sent: "reply" } as const;
const both = ["received", "sent"] as const;

/** What was translated for a port since its rules were made, in packets and their bytes. */
export type TranslatedTraffic = Readonly<Record<(typeof both)[number], PacketCount>>;

/** The rules, and the sets without any element. */
export function addCounting(batch: NftBatch, table: string, { family }: Nftables): void {
  for (const way of both) {
    const { set, chain, hook, priority } = counted[way];
    batch
      .addFlowCounters(table, set)
      .flushSet(table, set)
      .addBaseChain({ table, name: chain, type: "filter", hook, priority })
      .flushChain(table, chain)
      .addRule({
        ...{ table, chain },
        expressions: [
          nft.ctDirection(directions[way]),
          nft.ctDestinationTranslated(),
          nft.countFlow(set, family),
        ],
      });
  }
}

/** Counts from now on, or goes on counting. */
export function count(batch: NftBatch, table: string, flow: FlowEnd): void {
  for (const way of both) batch.addFlow(table, counted[way].set, flow);
}

/** Counts no longer; `others` are those that are still translated. */
export function countNoMore(
  batch: NftBatch,
  table: string,
  { gone, others }: { readonly gone: readonly FlowEnd[]; readonly others: readonly FlowEnd[] },
): void {
  // A port at several addresses of the host is counted once.
  const kept = new Set(others.map(keyOf));
  const flows = new Map(gone.map((flow) => [keyOf(flow), flow]));
  for (const [key, flow] of flows)
    if (!kept.has(key)) for (const way of both) batch.deleteFlow(table, counted[way].set, flow);
}

/** What was counted; undefined for a port that is not translated. */
export async function trafficOf(
  filter: Nftables,
  table: string,
  flow: FlowEnd,
): Promise<TranslatedTraffic | undefined> {
  const [received, sent] = await Promise.all(
    both.map((way) => filter.flowCount(table, counted[way].set, flow)),
  );
  return received && sent && { received, sent };
}

function keyOf({ protocol, address, port }: FlowEnd): string {
  return `${protocol} ${address} ${port}`;
}
