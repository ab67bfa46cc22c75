/**
 * An engine's network in a network namespace that stands for a whole host: a container
 * ("web") with published ports, another on the same bridge ("near") and one on another bridge
 * ("far"), of which each is no more than a namespace. Prints their addresses and the paths of their namespaces
 * as JSON. A line of its input moves the ports to "near", at the
 * input's end it withdraws them and leaves nothing behind.
 * Usage: nsenter --net=PATH bun port-host.ts RUN_ROOT PORTS, PORTS a WantedPort[] in JSON
 */
import { openHelper } from "#helper";
import { startTime } from "#kernel";
import { openNetworks, openPorts } from "#network";
import { openState } from "#state";

const [runRoot = "", ports = "[]"] = process.argv.slice(2);
using state = openState(":memory:");
using helper = openHelper();
const networks = await openNetworks({ instanceId: runRoot, runRoot, state });
const published = await openPorts({ state, helper, runRoot });
const options = { "com.docker.network.bridge.name": "lab0" };
await networks.create({ name: "other", options });
const [web, near, far] = await Promise.all(
  ["bridge", "bridge", "other"].map((name) => networks.attach(name)),
);
if (!web || !near || !far) throw new Error("no endpoints");
const program = Bun.spawn(["sleep", "1000"]);
const nameOf = (container: string) => container;
const request = { container: "web", address: web.address, ports: JSON.parse(ports), nameOf };
const publication = await published.publish(request);
publication.hold({ pid: program.pid, startTime: startTime(program.pid) ?? 0n });
const place = ({ address, gateway, netns }: typeof web) => ({
  address,
  gateway,
  netns: `/proc/${process.pid}/fd/${netns.number}`,
});
console.log(JSON.stringify({ web: place(web), near: place(near), far: place(far) }));
for await (const _ of process.stdin) await publication.move(near.address);
program.kill();
await publication.withdraw();
await published.close();
for (const endpoint of [web, near, far]) networks.release(endpoint);
await networks.close({ removeBridges: true });
