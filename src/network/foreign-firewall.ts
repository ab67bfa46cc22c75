import { readFileSync } from "node:fs";
import type { HookedChain, Nftables } from "#kernel";

/** Tables of iptables-legacy, which nf_tables knows nothing of. */
const legacy = { ip: "/proc/net/ip_tables_names", ip6: "/proc/net/ip6_tables_names" } as const;

export interface FirewallOptions {
  /** Whether the policy of iptables' FORWARD, of the family, to drop was set by an engine like this one: see forwarding.ts. */
  readonly dropsForeign: boolean;
}

/**
 * What of this host's firewall a translated connection would pass by or be dropped by, as a phrase;
 * "" where there is nothing. A translated connection is forwarded: the input chains, in which a
 * host says what may come in, would not see it. So any rule there is reason enough, whatever it
 * says, and a policy of dropping what comes in or is forwarded.
 */
export async function foreignFirewall(
  filter: Nftables,
  { dropsForeign }: FirewallOptions,
): Promise<string> {
  if (hasLegacyFilter(filter))
    return "iptables-legacy has a table filter, which cannot be read here";
  for (const chain of await filter.hookedChains()) {
    if (chain.type !== "filter" || /^thimble-[0-9a-f]+$/.test(chain.table)) continue;
    const name = `chain ${chain.name} of the table ${chain.family} ${chain.table}`;
    if (
      chain.hook === "forward" &&
      chain.policy === "drop" &&
      !(dropsForeign && isForward(filter, chain))
    )
      return `the ${name} drops what is forwarded`;
    if (chain.hook !== "input") continue;
    if (chain.policy === "drop") return `the ${name} drops what comes in`;
    const rules = await filter.rules(chain.table, chain.name, chain.family);
    if (rules.length > 0) return `the ${name} filters what comes in`;
  }
  return "";
}

function isForward(filter: Nftables, { table, name, family }: HookedChain): boolean {
  return family === filter.family && table === "filter" && name === "FORWARD";
}

/** Whether iptables-legacy filters packets of the family here. */
export function hasLegacyFilter({ family }: Pick<Nftables, "family">): boolean {
  try {
    return readFileSync(legacy[family], "utf8").split("\n").includes("filter");
  } catch {
    return false;
  }
}
