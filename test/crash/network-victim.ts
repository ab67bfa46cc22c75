/**
 * Opens the networks of RUN_ROOT over the database STATE, then makes or removes the
 * network "victim", of both versions, with THIMBLE_CRASH_AT naming the step at which it kills itself.
 * Usage: network-victim.ts STATE RUN_ROOT (create | remove) STEP
 */
import { openNetworks } from "#network";
import { openState } from "#state";

const [path = "", runRoot = "", scenario = "", step = ""] = process.argv.slice(2);
const victim = { name: "victim", hasIpv6: true };
const networks = await openNetworks({ instanceId: "crash", runRoot, state: openState(path) });
await networks.ready("bridge");
if (scenario === "remove") await networks.create(victim);
process.env.THIMBLE_CRASH_AT = step;
if (scenario === "create") await networks.create(victim);
else await networks.remove("victim");
// Only reached when the step was never met.
process.exit(99);
