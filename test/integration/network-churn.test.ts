/** Many containers that come and go, and many networks, leave nothing behind and slow nothing down. */
import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { openHelper } from "#helper";
import { Nftables, RouteTable } from "#kernel";
import { openNetworks, openPorts } from "#network";
import { openState } from "#state";
import { rounds } from "../../src/base/testing.ts";
import { bridgeNames } from "../../src/network/bridge.ts";
import { eventually } from "../support/run-container.ts";

const host = new RouteTable();
const filter = new Nftables();

const openFds = () => readdirSync("/proc/self/fd").length;

/** Milliseconds of the processor that this process has used: other programs do not count. */
const used = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

const median = (all: readonly number[]) => all.toSorted((a, b) => a - b)[all.length >> 1] ?? 0;

test("containers that come and go leave no interface, address, port or descriptor", async () => {
  const runRoot = `/tmp/churn-${process.pid}`;
  const { table } = bridgeNames(runRoot);
  using state = openState(":memory:");
  using helper = openHelper();
  const networks = await openNetworks({ instanceId: runRoot, runRoot, state });
  const ports = await openPorts({ state, helper, runRoot });
  // Of few addresses, so that one that is not given back is missed.
  const subnets = [{ subnet: "10.233.4.0/28", range: "", gateway: "", reserved: {} }];
  const { bridge } = await networks.create({ name: "small", subnets });
  const master = (await host.link(bridge))?.index;
  const links = async () => (await host.links()).filter((link) => link.master === master).length;
  const come = async (container: string): Promise<number> => {
    const begun = used();
    const { netns, ...endpoint } = await networks.attach("small");
    const { address, address6 } = endpoint;
    const wanted = [{ protocol: "tcp", containerPort: 80, hostIp: "" }] as const;
    const nameOf = (id: string) => id;
    const request = { container, address, address6, passesInput: false, ports: wanted, nameOf };
    const publication = await ports.publish(request);
    await publication.withdraw({ endsProxy: true });
    networks.release({ ...endpoint, netns });
    return used() - begun;
  };
  for (let warm = 0; warm < 5; warm++) await come(`warm${warm}`);
  const fds = openFds();
  const times: number[] = [];
  for (let round = 0; round < rounds(60, 1000); round++) times.push(await come(`c${round}`));
  // The kernel takes the namespaces' interfaces away in the background.
  await eventually(async () => (await links()) === 0 || undefined, "the end of the interfaces");
  expect(await filter.elements(table, "ports-tcp")).toEqual([]);
  expect(openFds()).toBeLessThanOrEqual(fds + 2);
  const part = times.length >> 2;
  const [first, last] = [median(times.slice(0, part)), median(times.slice(-part))];
  expect(last).toBeLessThan(first * 5 + 20);
  await ports.close();
  await networks.close({ removeBridges: true });
  const tables = await filter.tables();
  expect(tables).not.toContain(table);
}, 1_800_000);

test("many networks are made, listed and found again, each with its own addresses", async () => {
  const runRoot = `/tmp/many-${process.pid}`;
  using state = openState(":memory:");
  const options = { instanceId: runRoot, runRoot, state };
  const first = await openNetworks(options);
  const count = rounds(40, 1000);
  for (let made = 0; made < count; made++) await first.create({ name: `net${made}` });
  const was = first.list();
  expect(was).toHaveLength(count + 3);
  expect(new Set(was.slice(3).map(({ subnet }) => subnet)).size).toBe(count);
  const begun = used();
  for (let listed = 0; listed < 10; listed++) first.list();
  expect(used() - begun).toBeLessThan(10 * count);
  await first.close({ removeBridges: false });
  const second = await openNetworks(options);
  // The containers of all of them wait for none but their own.
  const endpoint = await second.attach(`net${count - 1}`);
  second.release(endpoint);
  expect(second.list()).toEqual(was);
  await second.close({ removeBridges: true });
  const left = (await host.links()).map(({ name }) => name);
  expect(left.filter((name) => was.some(({ bridge }) => bridge !== "" && bridge === name))).toEqual(
    [],
  );
}, 1_800_000);
