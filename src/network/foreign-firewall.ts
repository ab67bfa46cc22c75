import { readFileSync } from "node:fs";
import type { HookedChain, Nftables, Rule } from "#kernel";
import type { BlockedEgress } from "./contract.ts";
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

/** What drops all that is forwarded but what it knows. */
export interface ForwardPolicy {
  /** Of the first chain that does. */
  readonly reason: string;
  /** Whether that holds for translated connections, too. */
  readonly blocksTranslated: boolean;
  /** Each chain that drops the packets of a bridge, with the commands that let them pass there, and nothing else. */
  readonly blocking: (bridge: string) => readonly BlockedEgress[];
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

async function blockingForward(
  filter: Nftables,
  chains: readonly HookedChain[],
  dropsForeign: boolean,
): Promise<ForwardPolicy | undefined> {
  const zone = await blockingZone(filter, chains);
  const all = [...(await blockingPolicies(filter, chains, dropsForeign)), ...(zone ? [zone] : [])];
  return (
    all[0] && {
      reason: all[0].reason,
      blocksTranslated: all[0] !== zone,
      blocking: (bridge) =>
        all
          .filter(({ passes }) => !passes(bridge))
          .map(({ reason, fix }) => ({ reason, fix: fix(bridge) })),
    }
  );
}

/** One chain that drops what is forwarded. */
interface Barrier {
  readonly reason: string;
  /** Whether it lets the packets of a bridge pass, in both directions. */
  readonly passes: (bridge: string) => boolean;
  readonly fix: (bridge: string) => readonly string[];
}

/** A policy that an engine set stops nothing of ours: see passForward. */
async function blockingPolicies(
  filter: Nftables,
  chains: readonly HookedChain[],
  dropsForeign: boolean,
): Promise<readonly Barrier[]> {
  const found: Barrier[] = [];
  for (const chain of chains) {
    if (chain.hook !== "forward" || chain.policy !== "drop") continue;
    if (isForward(filter, chain) && (dropsForeign || (await isPolicyOfEngine(filter)))) continue;
    const isUfw = chain.table === "filter" && (await hasUfw(filter));
    const rules = await filter.rules(chain.table, chain.name, chain.family);
    if (isUfw) rules.push(...(await filter.rules(chain.table, ufwRules[filter.family])));
    found.push({
      reason: `the ${nameOf(chain)} drops what is forwarded`,
      passes: (bridge) => letThrough(rules, bridge),
      fix: (bridge) => fixOf(chain, isUfw, bridge),
    });
  }
  return found;
}

/** Where `ufw route` puts its rules. */
const ufwRules = { ip: "ufw-user-forward", ip6: "ufw6-user-forward" } as const;

/** Whether rules accept all that comes in by a bridge, and all that leaves by it, as those of `fixOf` do. */
function letThrough(rules: readonly Rule[], bridge: string): boolean {
  const plain = rules.filter(({ accepts, asksMore }) => accepts && !asksMore);
  const isNamed = (pattern: string | undefined) =>
    pattern === undefined ||
    (pattern.endsWith("*") ? bridge.startsWith(pattern.slice(0, -1)) : pattern === bridge);
  const hasRule = (side: "iifname" | "oifname", other: "iifname" | "oifname") =>
    plain.some((rule) => isNamed(rule[side]) && rule[other] === undefined);
  return hasRule("iifname", "oifname") && hasRule("oifname", "iifname");
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
): Promise<Barrier | undefined> {
  const chain = chains.find(({ table, hook }) => table === "firewalld" && hook === "forward");
  if (chain === undefined) return undefined;
  const zones = await filter.rules(chain.table, ZONES, chain.family);
  const standard = zones.find(({ iifname }) => iifname === undefined)?.target;
  if (standard === undefined || standard === TRUSTED) return undefined;
  return {
    reason: `the ${nameOf(chain)} rejects what is forwarded from interfaces in its default zone`,
    passes: (bridge) => zones.some(({ iifname }) => iifname === bridge),
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
