import { readFileSync } from "node:fs";
import type { HookedChain, Nftables } from "#kernel";
import { isPolicyOfEngine } from "./forwarding.ts";

/** Tables of iptables-legacy, which nf_tables knows nothing of. */
const legacy = { ip: "/proc/net/ip_tables_names", ip6: "/proc/net/ip6_tables_names" } as const;
const legacyFilter = "iptables-legacy has a table filter, which cannot be read here";

export interface FirewallOptions {
  /** Whether the policy of iptables' FORWARD, of the family, to drop was set by an engine like this one: see forwarding.ts. */
  readonly dropsForeign: boolean;
}

/** Chains of this host's firewall that concern containers, as phrases: "the chain input of the table inet fw drops what comes in". */
export interface ForeignFirewall {
  /**
   * What a translated connection would pass by: it is forwarded, so that the input chains, in which a
   * host says what may come in, would not see it. Any rule there is reason enough, whatever it says.
   */
  readonly input?: string;
  /** What drops all that is forwarded and that it does not know: translated connections, and what containers send. */
  readonly forward?: ForwardPolicy;
}

/** A policy of dropping what is forwarded. */
export interface ForwardPolicy {
  readonly reason: string;
  /** Whether that holds for translated connections, too. */
  readonly blocksTranslated: boolean;
  /** Whether it holds for the packets of a bridge. */
  readonly blocks: (bridge: string) => boolean;
  /** The commands that let the packets of a bridge pass there, and nothing else. */
  readonly fix: (bridge: string) => readonly string[];
}

/** What of this host's firewall concerns containers; empty where nothing does. */
export async function foreignFirewall(
  filter: Nftables,
  { dropsForeign }: FirewallOptions,
): Promise<ForeignFirewall> {
  const others = (await filter.hookedChains()).filter(
    ({ type, table }) => type === "filter" && !/^thimble-[0-9a-f]+$/.test(table),
  );
  const forward = await blockingForward(filter, others, dropsForeign);
  const input = hasLegacyFilter(filter) ? legacyFilter : await filteringInput(filter, others);
  return { ...(input !== undefined && { input }), ...(forward && { forward }) };
}

async function filteringInput(
  filter: Nftables,
  chains: readonly HookedChain[],
): Promise<string | undefined> {
  for (const chain of chains.filter(({ hook }) => hook === "input")) {
    if (chain.policy === "drop") return `the ${nameOf(chain)} drops what comes in`;
    const rules = await filter.rules(chain.table, chain.name, chain.family);
    if (rules.length > 0) return `the ${nameOf(chain)} filters what comes in`;
  }
  return undefined;
}

/** A policy that an engine set stops nothing of ours: see passForward. */
async function blockingForward(
  filter: Nftables,
  chains: readonly HookedChain[],
  dropsForeign: boolean,
): Promise<ForwardPolicy | undefined> {
  for (const chain of chains) {
    if (chain.hook !== "forward" || chain.policy !== "drop") continue;
    if (isForward(filter, chain) && (dropsForeign || (await isPolicyOfEngine(filter)))) continue;
    const reason = `the ${nameOf(chain)} drops what is forwarded`;
    const isUfw = chain.table === "filter" && (await hasUfw(filter));
    const blocks = () => true;
    return { reason, blocksTranslated: true, blocks, fix: (bridge) => fixOf(chain, isUfw, bridge) };
  }
  return await blockingZone(filter, chains);
}

/** The chain in which firewalld leads what is forwarded to the zone of the interface that it came in by. */
const ZONES = "filter_FORWARD_ZONES";
/** The zone that accepts all. */
const TRUSTED = "filter_FWD_trusted";

/**
 * firewalld has no policy of dropping, and rejects with its last rule what the zone has not accepted:
 * all but translated connections. A bridge that is in no zone is in the default one; what zone the
 * administrator has put it into is his to know.
 */
async function blockingZone(
  filter: Nftables,
  chains: readonly HookedChain[],
): Promise<ForwardPolicy | undefined> {
  const chain = chains.find(({ table, hook }) => table === "firewalld" && hook === "forward");
  if (chain === undefined) return undefined;
  const zones = await filter.rules(chain.table, ZONES, chain.family);
  const standard = zones.find(({ iifname }) => iifname === undefined)?.target;
  if (standard === undefined || standard === TRUSTED) return undefined;
  return {
    reason: `the ${nameOf(chain)} rejects what is forwarded from interfaces in its default zone`,
    blocksTranslated: false,
    blocks: (bridge) => !zones.some(({ iifname }) => iifname === bridge),
    fix: (bridge) => fixOf(chain, false, bridge),
  };
}

/** Why connections are not translated but go through the proxy; undefined where nothing speaks against it. */
export function reasonForProxy({ input, forward }: ForeignFirewall): string | undefined {
  return forward?.blocksTranslated ? forward.reason : input;
}

function fixOf(
  { family, table, name }: HookedChain,
  isUfw: boolean,
  bridge: string,
): readonly string[] {
  if (isUfw) return [`ufw route allow in on ${bridge}`, `ufw route allow out on ${bridge}`];
  if (table === "firewalld")
    return [
      `firewall-cmd --permanent --zone=trusted --add-interface=${bridge}`,
      "firewall-cmd --reload",
    ];
  if (table === "filter" && name === "FORWARD" && family !== "inet") {
    const command = family === "ip" ? "iptables" : "ip6tables";
    return ["-i", "-o"].map((side) => `${command} -I FORWARD ${side} ${bridge} -j ACCEPT`);
  }
  return ["iifname", "oifname"].map(
    (side) => `nft insert rule ${family} ${table} ${name} ${side} ${bridge} accept`,
  );
}

function nameOf({ name, family, table }: HookedChain): string {
  return `chain ${name} of the table ${family} ${table}`;
}

function isForward(filter: Nftables, { table, name, family }: HookedChain): boolean {
  return family === filter.family && table === "filter" && name === "FORWARD";
}

async function hasUfw(filter: Nftables): Promise<boolean> {
  const name = filter.family === "ip" ? "ufw-before-forward" : "ufw6-before-forward";
  return (await filter.chain("filter", name)) !== undefined;
}

/** Whether iptables-legacy filters packets of the family here. */
export function hasLegacyFilter({ family }: Pick<Nftables, "family">): boolean {
  try {
    return readFileSync(legacy[family], "utf8").split("\n").includes("filter");
  } catch {
    return false;
  }
}
