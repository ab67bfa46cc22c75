/**
 * An engine's networks in a network namespace that stands for a whole host: one of both versions
 * ("dual"), another ("other"), one that leads nowhere ("inner"), one that keeps its containers from
 * each other ("apart"), one of IPv6 alone ("six") and one of IPv4 alone ("four"), with two containers
 * in each, of which each is no more than a namespace. Prints their addresses and the paths of their
 * namespaces as JSON by network. At the end of its input it leaves nothing behind.
 * Usage: nsenter --net=PATH bun ipv6-host.ts RUN_ROOT [STATE]
 */
import { openNetworks } from "#network";
import { openState } from "#state";

const [runRoot = "", path = ":memory:"] = process.argv.slice(2);
using state = openState(path);
const networks = await openNetworks({ instanceId: runRoot, runRoot, state });
const dual = { hasIpv6: true };
const isolated = { "com.docker.network.bridge.enable_icc": "false" };
const subnet = { subnet: "fd09:77::/64", range: "", gateway: "", reserved: {} };
await networks.create({ name: "dual", ...dual, subnets: [subnet] });
await networks.create({ name: "other", ...dual });
await networks.create({ name: "inner", ...dual, isInternal: true });
await networks.create({ name: "apart", ...dual, options: isolated });
await networks.create({ name: "six", ...dual, hasIpv4: false });
await networks.create({ name: "four" });
const endpoints = [];
const shown: Record<string, object[]> = {};
for (const name of ["dual", "other", "inner", "apart", "six", "four"])
  for (let i = 0; i < 2; i++) {
    const { netns, ...endpoint } = await networks.attach(name);
    endpoints.push({ ...endpoint, netns });
    const place = { ...endpoint, netns: `/proc/${process.pid}/fd/${netns.number}` };
    shown[name] = [...(shown[name] ?? []), { ...place, bridge: networks.find(name).bridge }];
  }
console.log(JSON.stringify(shown));
for await (const _ of process.stdin);
for (const endpoint of endpoints) networks.release(endpoint);
await networks.close({ removeBridges: true });
