/**
 * A network of each kind, and published ports, of an engine at the usual run root, in a network
 * namespace that stands for a whole host. Prints a line when all rules stand; at the end of its input it leaves
 * nothing behind.
 * Usage: nsenter --net=PATH bun ruleset-host.ts ADDRESS, ADDRESS one of the host's
 */
import { openHelper } from "#helper";
import { openNetworks, openPorts, type WantedPort } from "#network";
import { openState } from "#state";
import { shownPort } from "./ruleset.ts";

const runRoot = "/run/thimble";
const [hostIp = ""] = process.argv.slice(2);
using state = openState(":memory:");
using helper = openHelper();
const networks = await openNetworks({
  ...{ instanceId: runRoot, runRoot, state },
  subnet: "172.20.0.0/16",
});
const published = await openPorts({ state, helper, runRoot });
const option = (name: string, value: string) => ({ [`com.docker.network.bridge.${name}`]: value });
const kinds = [
  ["front", {}],
  ["vault", { isInternal: true }],
  ["apart", { options: option("enable_icc", "false") }],
  ["plain", { options: option("enable_ip_masquerade", "false") }],
  ["local", { options: option("host_binding_ipv4", "127.0.0.1") }],
  ["six", { hasIpv6: true }],
] as const;
for (const [index, [name, { options, ...kind }]] of kinds
  .map(([name, kind]) => [name, { options: {}, ...kind }] as const)
  .entries())
  await networks.create({
    name,
    ...kind,
    options: { ...options, ...option("name", `th-${name}`) },
    subnets: [`10.7.${index}.0/24`, ...(name === "six" ? ["fd00:7::/64"] : [])].map((subnet) => ({
      ...{ subnet, range: "", gateway: "", reserved: {} },
    })),
  });
const endpoint = await networks.attach("bridge");
const guarded = await networks.attach("six", {
  ...{ link: "eth0", isGateway: true, mac: shownPort.mac },
  ...{ address: "10.7.5.9", address6: "fd00:7::9" },
});
const port = (protocol: WantedPort["protocol"], first: number, at = "") => ({
  ...{ protocol, containerPort: 80, hostIp: at, range: { first, last: first } },
});
const publication = await published.publish({
  container: "web",
  address: "172.20.0.9",
  address6: "fd00:7::9",
  ports: [
    port("tcp", 8080),
    port("udp", 8080),
    port("tcp", 8081, hostIp),
    port("tcp", 8082, "127.0.0.1"),
  ],
  passesInput: false,
  nameOf: (container) => container,
});
console.log("ready");
for await (const _ of process.stdin);
await publication.withdraw({ endsProxy: true });
await published.close();
for (const each of [endpoint, guarded]) networks.release(each);
await networks.close({ removeBridges: true });
