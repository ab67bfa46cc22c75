/**
 * An engine's network in a network namespace that stands for a whole host: opens it at
 * RUN_ROOT over the database STATE, attaches one endpoint, and prints its address, the path of its
 * namespace and what drops what it sends as JSON, then for each line of input the warnings that there are. At the end of its input it
 * leaves nothing behind. Its log is on standard error.
 * Usage: nsenter --net=PATH bun network-host.ts RUN_ROOT [STATE]
 */
import { createLog } from "#base";
import { openNetworks } from "#network";
import { openState } from "#state";

const [runRoot = "", path = ":memory:"] = process.argv.slice(2);
using state = openState(path);
const networks = await openNetworks({
  instanceId: runRoot,
  runRoot,
  state,
  log: createLog("warn"),
});
const endpoint = await networks.attach("bridge");
const netns = `/proc/${process.pid}/fd/${endpoint.netns.number}`;
const egress = networks.blockedEgress("bridge");
console.log(JSON.stringify({ address: endpoint.address, netns, egress }));
for await (const _ of process.stdin) console.log(JSON.stringify(await networks.warnings()));
networks.release(endpoint);
await networks.close({ removeBridges: true });
