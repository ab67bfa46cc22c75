/** Networks whose containers are on an interface of the host: macvlan and ipvlan. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  createNowhere,
  createStackedLink,
  deleteLink,
  hasStackedKind,
  RouteTable,
  setLinkAlias,
} from "#kernel";
import { type Networks, openNetworks, type SubnetRequest } from "#network";
import { openState, type State } from "#state";
import { outcome } from "../../src/base/testing.ts";
import { inside, type Namespace } from "../support/namespace.ts";

const runRoot = `/tmp/vlan-test-${process.pid}`;
const parent = `par${process.pid}`;
const host = new RouteTable();
let state: State;
let networks: Networks;
/** The kernel has the drivers' interfaces; another may lack them. */
const has = {
  macvlan: await hasStackedKind(host, "macvlan"),
  ipvlan: await hasStackedKind(host, "ipvlan"),
  vlan: await hasStackedKind(host, "vlan"),
};

/** An interface that leads nowhere, for a parent. */
async function makeParent(name: string): Promise<void> {
  await host
    .apply(createNowhere(name, "dummy"))
    .catch(() => host.apply(createNowhere(name, "ifb")));
}

async function remove(name: string): Promise<void> {
  const link = await host.link(name);
  if (link) await host.apply(deleteLink(link.index));
}

beforeAll(async () => {
  state = openState(":memory:");
  networks = await openNetworks({ instanceId: "vlan", runRoot, state });
  await makeParent(parent);
});

afterAll(async () => {
  await networks.close({ removeBridges: true });
  state.close();
  await remove(parent);
});

/** Whether one of so many pings is answered. */
async function answers(netns: Namespace, address: string, tries: number): Promise<boolean> {
  for (let left = tries; left > 0; left--) {
    const said = await inside(netns, "busybox", "ping", "-c", "1", "-W", "1", address);
    if (said !== "failed") return true;
  }
  return false;
}

let made = 0;
const subnetOf = (): SubnetRequest => ({
  ...{ subnet: `10.232.${made++}.0/24`, range: "", gateway: "", reserved: {} },
});

const macvlan = (name: string, options: Readonly<Record<string, string>>) =>
  networks.create({ name, driver: "macvlan", options, subnets: [subnetOf()] });

describe.skipIf(!has.macvlan)("a macvlan network", () => {
  test("gives its containers addresses and MAC addresses on the parent, and no rules", async () => {
    const made = await macvlan("lab", { parent });
    expect(made).toMatchObject({ driver: "macvlan", bridge: "", hostBinding: "" });
    const [a, b] = [await networks.attach("lab"), await networks.attach("lab")];
    expect([a.gateway, a.prefixLength]).toEqual([made.gateway, 24]);
    const [, link] = await new RouteTable({ netns: a.netns }).links();
    expect(link).toMatchObject({ name: "eth0", kind: "macvlan", mac: a.mac, up: true });
    expect(await answers(a.netns, b.address, 10)).toBe(true);

    const second = await networks.join("lab", a.netns, { link: "eth1", isGateway: false });
    const names = async () =>
      (await new RouteTable({ netns: a.netns }).links()).map(({ name }) => name);
    expect(await names()).toEqual(["lo", "eth0", "eth1"]);
    expect(
      await outcome(networks.join("lab", a.netns, { link: "eth1", isGateway: false })),
    ).toThrow("the container has an interface eth1 already");
    await networks.leave(a.netns, second);
    expect(await names()).toEqual(["lo", "eth0"]);
    for (const each of [a, b]) networks.release(each);
    await networks.remove("lab");
    expect(await host.link(parent)).toBeDefined();
  });

  test("has IPv6 where it is asked for, with a subnet of its own or a free one, and heeds no router", async () => {
    const own = { subnet: "fd32:7::/64", range: "", gateway: "", reserved: {} };
    const options = { parent };
    const shared = { driver: "macvlan", options, hasIpv6: true } as const;
    await networks.create({ name: "six", ...shared, subnets: [subnetOf(), own] });
    const free = await networks.create({ name: "free", ...shared, subnets: [subnetOf()] });
    expect(free.subnet6).toMatch(/^fd[0-9a-f:]+\/64$/);
    for (const name of ["six", "free"]) {
      const [a, b] = [await networks.attach(name), await networks.attach(name)];
      expect(a.gateway6).toBe(networks.find(name).gateway6);
      if (name === "six") expect(a.address6).toStartWith("fd32:7::");
      expect(await answers(a.netns, b.address6, 10)).toBe(true);
      expect(await answers(a.netns, b.address, 10)).toBe(true);
      expect(await inside(a.netns, "cat", "/proc/sys/net/ipv6/conf/eth0/accept_ra")).toBe("0");
      const routes = await new RouteTable({ netns: a.netns }).routes(6);
      const out = routes.find(({ prefixLength, gateway }) => prefixLength === 0 && gateway);
      expect(out?.gateway).toBe(a.gateway6);
      for (const each of [a, b]) networks.release(each);
      await networks.remove(name);
    }
  });

  test("leaves an interface of no endpoint in a container to the sweep, which takes no other", async () => {
    await macvlan("swept", { parent });
    const a = await networks.attach("swept");
    const { netns: _, ...lost } = await networks.join("swept", a.netns, {
      link: "eth1",
      isGateway: false,
    });
    const inside = new RouteTable({ netns: a.netns });
    const index = (await inside.link("eth0"))?.index ?? 0;
    const own = { type: { kind: "macvlan", mode: "bridge" }, name: "own", netns: a.netns } as const;
    await inside.apply(createStackedLink({ ...own, parent: index, mac: "02:00:00:00:00:07" }));
    expect(await networks.sweepInside(a.netns)).toBe(0);
    // As after a crash that came before the endpoint was recorded.
    networks.release(lost);
    expect(await networks.sweepInside(a.netns)).toBe(1);
    const names = (await inside.links()).map(({ name }) => name);
    expect(names.sort()).toEqual(["eth0", "lo", "own"]);
    networks.release(a);
    await networks.remove("swept");
  });

  test("in the mode private keeps its containers apart", async () => {
    await macvlan("apart", { parent, macvlan_mode: "private" });
    const [a, b] = [await networks.attach("apart"), await networks.attach("apart")];
    expect(await answers(a.netns, b.address, 1)).toBe(false);
    for (const each of [a, b]) networks.release(each);
    await networks.remove("apart");
  });

  test("in the mode passthru has one container, with the parent's MAC address", async () => {
    await makeParent(`q${parent}`);
    await macvlan("through", { parent: `q${parent}`, macvlan_mode: "passthru" });
    expect(await outcome(macvlan("other", { parent: `q${parent}` }))).toThrow(
      `is already using parent interface q${parent} in mode passthru`,
    );
    const one = await networks.attach("through");
    expect(one.mac).toBe((await host.link(`q${parent}`))?.mac ?? "");
    expect(await outcome(networks.attach("through"))).toThrow("macvlan interface eth0");
    networks.release(one);
    await networks.remove("through");
    await remove(`q${parent}`);
  });

  test("without a parent leads nowhere, and takes its interface along", async () => {
    const { id, gateway } = await networks.create({
      ...{ name: "nowhere", driver: "macvlan", isInternal: true, subnets: [subnetOf()] },
    });
    const name = `dm-${id.slice(0, 12)}`;
    expect((await host.link(name))?.up).toBe(true);
    const [a, b] = [await networks.attach("nowhere"), await networks.attach("nowhere")];
    expect([gateway, a.gateway, a.address]).toEqual(["", "", expect.stringMatching(/\.1$/)]);
    expect(await answers(a.netns, b.address, 10)).toBe(true);
    for (const each of [a, b]) networks.release(each);
    await networks.remove("nowhere");
    expect(await host.link(name)).toBeUndefined();
  });

  test("whose parent is gone says so", async () => {
    await makeParent(`g${parent}`);
    await macvlan("orphan", { parent: `g${parent}` });
    await remove(`g${parent}`);
    expect(await outcome(networks.attach("orphan"))).toThrow(
      `the requested parent interface g${parent} was not found on the host; the network orphan needs it`,
    );
    await makeParent(`g${parent}`);
    networks.release(await networks.attach("orphan"));
    await networks.remove("orphan");
    await remove(`g${parent}`);
  });

  test("is there again when the engine was gone", async () => {
    await macvlan("kept", { parent });
    const was = networks.find("kept");
    const second = await openNetworks({ instanceId: "vlan", runRoot, state });
    expect(second.find("kept")).toEqual(was);
    const endpoint = await second.attach("kept");
    expect(endpoint.prefixLength).toBe(24);
    second.release(endpoint);
    await second.close({ removeBridges: false });
    await networks.remove("kept");
  });

  test.each([
    [{ parent: "lo" }, "loopback interface is not a valid macvlan parent link"],
    [{ parent: "nope" }, "invalid subinterface vlan name nope, example formatting is eth0.10"],
    [{ parent: "nope.10" }, "-o parent interface was not found on the host: nope"],
    [{ parent: `${parent}.5000` }, "vlan id must be between 1-4094, received: 5000"],
    [
      { parent: `${parent}.x` },
      "unable to parse a valid vlan id from: x (ex. eth0.10 for vlan 10)",
    ],
    [
      { parent, macvlan_mode: "bad" },
      "requested macvlan mode 'bad' is not valid, 'bridge' mode is the macvlan driver default",
    ],
  ])("with %j is refused and leaves nothing", async (options, why) => {
    const before = networks.list();
    expect(await outcome(macvlan("wrong", options))).toThrow(why);
    expect(networks.list()).toEqual(before);
  });
});

test("an interface that a crash left without its network goes with the next start", async () => {
  const root = `${runRoot}-crash`;
  const name = `dm-${"0".repeat(7)}${process.pid % 100_000}`;
  const of = (owner: string) => setLinkAlias(name, `thimble ${owner} ${"0".repeat(64)}`);
  using rows = openState(":memory:");
  const open = () => openNetworks({ instanceId: "crash", runRoot: root, state: rows });
  await makeParent(name);
  for (const [owner, isLeft] of [
    [`${root}-other`, true],
    [root, false],
  ] as const) {
    await host.apply(of(owner));
    const next = await open();
    await next.ready("bridge");
    expect((await host.link(name)) !== undefined).toBe(isLeft);
    await next.close({ removeBridges: true });
  }
});

test("a parent that is a VLAN is made on demand, or refused by a kernel without VLANs", async () => {
  const name = `${parent}.10`;
  const create = macvlan("tagged", { parent: name });
  if (!has.vlan || !has.macvlan) {
    expect(await outcome(create)).toThrow("this kernel has no ");
    return;
  }
  await create;
  expect((await host.link(name))?.kind).toBe("vlan");
  await networks.remove("tagged");
  expect(await host.link(name)).toBeUndefined();
});

test.each(["l2", "l3", "l3s"])(
  "an ipvlan network in the mode %s works, or is refused by a kernel without ipvlan",
  async (mode) => {
    const request = { name: "ip", driver: "ipvlan", subnets: [subnetOf()] } as const;
    const create = networks.create({ ...request, options: { parent, ipvlan_mode: mode } });
    if (!has.ipvlan) {
      expect(await outcome(create)).toThrow(
        "this kernel has no ipvlan interfaces (module ipvlan), which the network driver ipvlan needs",
      );
      expect(networks.list().map(({ name }) => name)).not.toContain("ip");
      return;
    }
    await create;
    const [a, b] = [await networks.attach("ip"), await networks.attach("ip")];
    expect(a.mac).toBe("");
    expect(await answers(a.netns, b.address, 10)).toBe(true);
    for (const each of [a, b]) networks.release(each);
    await networks.remove("ip");
  },
);
