import { readdirSync } from "node:fs";
import { type Nftables, nft } from "#kernel";
import { readSysctl, writeSysctl } from "./sysctl.ts";

const forwarding = { ip: "net/ipv4/ip_forward", ip6: "net/ipv6/conf/all/forwarding" } as const;
/** Interfaces, and what the kernel keeps for all of them and those to come. */
const INTERFACES = "net/ipv6/conf";
/** iptables' own table, which Docker and administrators use too. */
const FILTER = "filter";
const FORWARD = "FORWARD";
/** Docker's chain for the administrator's rules: FORWARD jumps there first. */
const DOCKER_USER = "DOCKER-USER";
/** An empty chain beside FORWARD, by which every engine sees that one of them has set the policy. */
const MARK = "THIMBLE-SET-POLICY";

/**
 * Lets this host forward packets of the filter's family; gives whether it did not before. In that case it must not
 * become a router for everyone because it has containers: as in Docker, the policy of FORWARD is
 * then to drop, in the one chain where every other program can accept its own packets (moby,
 * daemon/libnetwork/drivers/bridge/setup_ip_forwarding.go). The policy comes first, so that a crash
 * in between leaves nothing open.
 */
export async function ensureForwarding(filter: Nftables): Promise<boolean> {
  const setting = forwarding[filter.family];
  if (readSysctl(setting) === "1") return false;
  await dropForeign(filter);
  if (filter.family === "ip6") keepAdvertisedRoutes();
  writeSysctl(setting, "1");
  return true;
}

/**
 * A host that forwards IPv6 no longer listens to the routers of its networks, from which it may have its own default
 * route, unless accept_ra is 2 (ip-sysctl.rst). So that is set on the interfaces that listened.
 */
function keepAdvertisedRoutes(): void {
  for (const name of readdirSync(`/proc/sys/${INTERFACES}`)) {
    const setting = `${INTERFACES}/${name}/accept_ra`;
    const isInterface = name !== "all" && name !== "default" && name !== "lo";
    const isOff = readSysctl(`${INTERFACES}/${name}/disable_ipv6`) === "1";
    if (isInterface && !isOff && readSysctl(setting) === "1") writeSysctl(setting, "2");
  }
}

/** Sets the policy of FORWARD to drop; makes the chain when it is missing. */
async function dropForeign(filter: Nftables): Promise<void> {
  await filter.commit(
    filter
      .batch()
      .addTable(FILTER)
      .addBaseChain({
        table: FILTER,
        name: FORWARD,
        type: "filter",
        hook: "forward",
        priority: 0,
        policy: "drop",
      })
      .addChain(FILTER, MARK),
  );
}

/** Puts the policy back after someone flushed the whole table; a policy that an administrator set is left alone. */
export async function keepForeignOut(filter: Nftables): Promise<void> {
  const forward = await filter.chain(FILTER, FORWARD);
  if (forward === undefined) await dropForeign(filter);
  // Versions before did not mark it.
  else if (forward.policy === "drop" && !(await isPolicyOfEngine(filter)))
    await filter.commit(filter.batch().addChain(FILTER, MARK));
}

/**
 * An accept of ours does not help against the drop of another table's chain. Where an engine has set
 * the policy of FORWARD to drop, one of ours or Docker, two rules marked with its name let a
 * bridge's packets through there. An administrator's policy stays as it is. They come last: only the policy is passed by, no rule of Docker or of
 * an administrator. Rules of iptables-legacy are out of reach.
 * @param areNew none has such rules yet, which need not be looked for then
 */
export async function passForward(
  filter: Nftables,
  bridges: readonly string[],
  { areNew }: { readonly areNew: boolean } = { areNew: false },
): Promise<void> {
  if ((await filter.chain(FILTER, FORWARD))?.policy !== "drop") return;
  if (!(await isPolicyOfEngine(filter))) return;
  const rules = areNew ? [] : await filter.rules(FILTER, FORWARD);
  const marks = new Set(rules.map(({ comment }) => comment));
  const missing = [...new Set(bridges)].filter((bridge) => !marks.has(bridge));
  const batch = filter.batch();
  for (const bridge of missing) {
    const place = { table: FILTER, chain: FORWARD, comment: bridge };
    batch
      .addRule({ ...place, expressions: [nft.iifname(bridge), nft.counter(), nft.accept()] })
      .addRule({ ...place, expressions: [nft.oifname(bridge), nft.counter(), nft.accept()] });
  }
  if (missing.length > 0) await filter.commit(batch);
}

/** Whether the policy of FORWARD to drop is that of an engine which turned forwarding on, and no administrator's. */
export async function isPolicyOfEngine(filter: Nftables): Promise<boolean> {
  const isThere = async (name: string) => (await filter.chain(FILTER, name)) !== undefined;
  return (await isThere(MARK)) || (await isThere(DOCKER_USER));
}

/** Takes the rules marked with any of the names out of the tables of others; earlier versions had some in DOCKER-USER. */
export async function removePass(filter: Nftables, ...marks: readonly string[]): Promise<void> {
  for (const chain of [DOCKER_USER, FORWARD]) {
    const ours = await filter.marked(FILTER, chain, new Set(marks));
    const batch = filter.batch();
    for (const rule of ours) batch.deleteRule(FILTER, chain, rule.handle);
    if (ours.length > 0) await filter.commit(batch);
  }
}
