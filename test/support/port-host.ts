/**
 * An engine's network in a network namespace that stands for a whole host: a container
 * ("web") with published ports, another on the same bridge ("near"), one on another bridge
 * ("far") and one in an internal network ("vault"), of which each is no more than a namespace. Prints their addresses and the paths of their namespaces
 * as JSON. A line "move" of its input moves the ports to "near", "explain" prints the explanation of them, at the
 * input's end it withdraws them and leaves nothing behind.
 * Usage: nsenter --net=PATH bun port-host.ts RUN_ROOT PORTS [dual | six], PORTS a WantedPort[] in
 * JSON; "dual" makes networks with IPv6, "six" of IPv6 alone
 */
import { openHelper } from "#helper";
import { startTime } from "#kernel";
import { openNetworks, openPorts } from "#network";
import { openState } from "#state";

const [runRoot = "", ports = "[]", kind] = process.argv.slice(2);
using state = openState(":memory:");
using helper = openHelper();
const networks = await openNetworks({ instanceId: runRoot, runRoot, state });
const published = await openPorts({ state, helper, runRoot });
const options = { "com.docker.network.bridge.name": "lab0" };
const versions = { hasIpv4: kind !== "six", hasIpv6: kind !== undefined };
await networks.create({ name: "other", options, ...versions });
await networks.create({ name: "vault", isInternal: true, ...versions });
if (kind) await networks.create({ name: "front", ...versions });
const first = kind ? "front" : "bridge";
const [web, near, far, vault] = await Promise.all(
  [first, first, "other", "vault"].map((name) => networks.attach(name)),
);
if (!web || !near || !far || !vault) throw new Error("no endpoints");
const { bridge } = networks.find(first);
const program = Bun.spawn(["sleep", "1000"]);
const nameOf = (container: string) => container;
const targetOf = ({ address, address6 }: typeof web) => ({
  address: address || address6,
  address6,
});
const passesInput = process.env.PUBLISH_THROUGH === "yes";
const wanted = JSON.parse(ports);
const request = { container: "web", ...targetOf(web), passesInput, ports: wanted, nameOf };
const publication = await published.publish(request);
publication.hold({ pid: program.pid, startTime: startTime(program.pid) ?? 0n });
const place = ({ address, gateway, address6, gateway6, netns }: typeof web) => ({
  ...{ address, gateway, address6, gateway6 },
  netns: `/proc/${process.pid}/fd/${netns.number}`,
});
const places = { web: place(web), near: place(near), far: place(far), vault: place(vault) };
console.log(JSON.stringify({ bridge, ...places }));
const withNumbers = (_: string, value: unknown) =>
  typeof value === "bigint" ? Number(value) : value;
for await (const line of process.stdin)
  if (String(line) === "explain\n")
    console.log(JSON.stringify(await published.explain("web"), withNumbers));
  else await publication.move(targetOf(near));
program.kill();
await publication.withdraw();
await published.close();
for (const endpoint of [web, near, far, vault]) networks.release(endpoint);
await networks.close({ removeBridges: true });
