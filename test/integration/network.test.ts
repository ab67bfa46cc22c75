import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { lookup } from "node:dns/promises";
import { readdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import {
  createBridge,
  deleteLink,
  Nftables,
  NftBatch,
  newNetworkNamespace,
  nft,
  RouteTable,
  setLinkUp,
} from "#kernel";
import { type Networks, type NetworksOptions, openNetworks, type SubnetRequest } from "#network";
import { openState, type State } from "#state";
import { outcome } from "../../src/base/testing.ts";
import { defaultCandidates, ipv6Candidates } from "../../src/network/address-pool.ts";
import { bridgeNames, deleteBridge, ensureBridge } from "../../src/network/bridge.ts";
import { portName } from "../../src/network/endpoint.ts";
import {
  filteredBridges,
  installRules,
  removeRules,
  removeTable,
} from "../../src/network/firewall.ts";
import { keepForeignOut, passForward, removePass } from "../../src/network/forwarding.ts";
import { containsAddress, formatSubnet, parseSubnet } from "../../src/network/subnet.ts";
import { planAddresses } from "../../src/network/subnet-request.ts";
import { dial, inside, listen, reach } from "../support/namespace.ts";

const runRoots = [1, 2].map((n) => `/tmp/network-test-${process.pid}-${n}`);
const host = new RouteTable();
const filter = new Nftables();

/** The first mirror of the host's apt sources, or undefined. */
function mirror(): { host: string; port: number } | undefined {
  const files = ["/etc/apt/sources.list"];
  const folder = "/etc/apt/sources.list.d";
  try {
    files.push(...readdirSync(folder).map((name) => `${folder}/${name}`));
  } catch {
    // The folder is optional.
  }
  for (const file of files) {
    let text = "";
    try {
      text = readFileSync(file, "utf8");
    } catch {
      continue;
    }
    const url = /^(?:deb\s(?:.*\s)?|URIs:\s*)(https?:\/\/\S+debian\S*)/m.exec(text)?.[1];
    if (url === undefined) continue;
    const { hostname, port, protocol } = new URL(url);
    return { host: hostname, port: Number(port) || (protocol === "https:" ? 443 : 80) };
  }
  return undefined;
}

function reachableFromHost(address: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, timeout: 30_000 });
    const done = (yes: boolean) => {
      socket.destroy();
      resolve(yes);
    };
    socket.once("connect", () => done(true));
    socket.once("error", () => done(false));
    socket.once("timeout", () => done(false));
  });
}

function subnetRequest(subnet: string): SubnetRequest {
  return { subnet, range: "", gateway: "", reserved: {} };
}

function openFds(): number {
  return readdirSync("/proc/self/fd").length;
}

async function settled(condition: () => Promise<boolean>): Promise<boolean> {
  const deadline = Date.now() + 60_000;
  while (!(await condition())) {
    if (Date.now() > deadline) return false;
    await Bun.sleep(20);
  }
  return true;
}

let fdsBefore = 0;
let networks: [Networks, Networks];
const states: State[] = [];
const usedRunRoots: string[] = [];

/** With a database of its own that ends with the tests, unless one is given. */
function open(options: Omit<NetworksOptions, "state"> & { state?: State }): Promise<Networks> {
  const state = options.state ?? openState(":memory:");
  states.push(state);
  usedRunRoots.push(options.runRoot);
  return openNetworks({ ...options, state });
}

beforeAll(async () => {
  fdsBefore = openFds();
  const [a = "", b = ""] = runRoots;
  // At the same time, so that they may want the same network.
  networks = await Promise.all([
    open({ instanceId: "one", runRoot: a }),
    open({ instanceId: "two", runRoot: b }),
  ]);
});

afterAll(async () => {
  const bridges = runRoots.map((runRoot) => bridgeNames(runRoot).bridge);
  const links = await host.links();
  const masters = links.filter(({ name }) => bridges.includes(name)).map(({ index }) => index);
  const own = links.filter(({ index, master }) =>
    [index, master].some((at) => masters.includes(at)),
  );
  for (const network of networks) await network.close({ removeBridges: true });
  for (const state of states) state.close();
  const left = async () =>
    (await host.links()).filter((link) => own.some(({ index }) => index === link.index));
  // The kernel takes the namespaces' links away in the background.
  await settled(async () => (await left()).length === 0);
  expect(await left()).toEqual([]);
  const used = usedRunRoots.map((runRoot) => bridgeNames(runRoot).table);
  const tables = await filter.tables();
  expect(used.filter((table) => tables.includes(table))).toEqual([]);
  expect(openFds()).toBeLessThanOrEqual(fdsBefore + 2);
});

describe("a bridge", () => {
  test("of each instance, with networks that touch nothing", async () => {
    const [one, two] = await Promise.all(networks.map((network) => network.ready("bridge")));
    expect(one?.bridge).not.toBe(two?.bridge);
    expect(one?.subnet).not.toBe(two?.subnet);
    expect(one?.id).toMatch(/^[0-9a-f]{64}$/);
    expect(one?.id).not.toBe(two?.id);
    expect(readFileSync("/proc/sys/net/ipv4/ip_forward", "utf8").trim()).toBe("1");
  });

  test("chooses a network of its own however many open at once", async () => {
    const many = Array.from({ length: 6 }, (_, i) => `${runRoots[0]}-many-${i}`);
    const wanted = ([4, 6] as const).map((version) => ({
      version,
      isFixed: false,
      // Those of IPv6 as if the instances were one.
      candidates: () => (version === 4 ? defaultCandidates : ipv6Candidates("many")),
      taken: [],
      gatewayIn: (subnet: Parameters<typeof formatSubnet>[0]) => planAddresses(subnet).gateway,
      hasAddress: true,
    }));
    const bridges = await Promise.all(
      many.map((root) => ensureBridge(bridgeNames(root), { subnets: wanted })),
    );
    for (const at of [0, 1])
      expect(
        new Set(bridges.map(({ subnets: { [at]: one } }) => one && formatSubnet(one))).size,
      ).toBe(many.length);
    for (const root of many) await deleteBridge(bridgeNames(root).bridge, root);
  });

  test("connects its namespaces with each other and with the host", async () => {
    const [a, b] = await Promise.all([networks[0].attach("bridge"), networks[0].attach("bridge")]);
    using _listener = await listen(b.netns, 8080);
    expect(await reach(a.netns, b.address, 8080)).toBe("open");
    expect(await dial(a.netns, "127.0.0.1", 8080)).toBe("failed");
    expect(await reachableFromHost(b.address, 8080)).toBe(true);
    for (const endpoint of [a, b]) networks[0].release(endpoint);
  });

  test("keeps packets of other bridges out, answers aside", async () => {
    const [a, b] = await Promise.all([networks[0].attach("bridge"), networks[1].attach("bridge")]);
    using _listener = await listen(b.netns, 8080);
    expect(await dial(a.netns, b.address, 8080)).toBe("failed");
    networks[0].release(a);
    networks[1].release(b);
  });

  test("lets its namespaces out under the host's address", async () => {
    const found = mirror();
    const address = found && (await lookup(found.host, 4).catch(() => undefined))?.address;
    if (!found || !address || !(await reachableFromHost(address, found.port))) {
      console.log("skipped: this host reaches no mirror of its apt sources itself");
      return;
    }
    const endpoint = await networks[0].attach("bridge");
    expect(await reach(endpoint.netns, address, found.port)).toBe("open");
    networks[0].release(endpoint);
  });
});

describe("a namespace", () => {
  test("has lo, and eth0 with address, MAC and default route", async () => {
    const endpoint = await networks[0].attach("bridge");
    const { gateway } = await networks[0].ready("bridge");
    const table = new RouteTable({ netns: endpoint.netns });
    const links = await table.links();
    expect(links.map((link) => [link.name, link.up])).toEqual([
      ["lo", true],
      ["eth0", true],
    ]);
    expect(links[1]?.mac).toBe(endpoint.mac);
    expect(endpoint.gateway).toBe(gateway);
    const { address, prefixLength } = endpoint;
    const addresses = await table.addresses();
    expect(addresses).toContainEqual({ index: 2, address, prefixLength });
    const [route] = (await table.routes()).filter((each) => each.prefixLength === 0);
    expect(route?.gateway).toBe(gateway);
    expect(await inside(endpoint.netns, "cat", "/proc/net/if_inet6")).toMatch(/^0{31}1 .* lo$/);
    networks[0].release(endpoint);
  });

  test("is found by its neighbours at once when its address had another owner", async () => {
    const { id } = await networks[0].create({
      name: "small",
      subnets: [subnetRequest("10.231.7.0/29")],
    });
    const neighbour = await networks[0].attach("small");
    let owner = await networks[0].attach("small");
    const { address, mac } = owner;
    {
      using _listener = await listen(owner.netns, 80);
      expect(await reach(neighbour.netns, address, 80)).toBe("open");
    }
    const macs = new Set([mac]);
    do {
      networks[0].release(owner);
      owner = await networks[0].attach("small");
      macs.add(owner.mac);
    } while (owner.address !== address);
    expect(macs.size).toBeGreaterThan(3);
    for (const each of macs) expect(each).toMatch(/^[0-9a-f][26ae](:[0-9a-f]{2}){5}$/);
    using _listener = await listen(owner.netns, 80);
    const table = () => inside(neighbour.netns, "cat", "/proc/net/arp");
    expect(await settled(async () => (await table()).includes(owner.mac))).toBe(true);
    expect(await reach(neighbour.netns, address, 80)).toBe("open");
    for (const each of [owner, neighbour]) networks[0].release(each);
    await networks[0].remove(id);
  });

  test("of none has lo only", async () => {
    using netns = await networks[0].isolated();
    const table = new RouteTable({ netns });
    expect((await table.links()).map((link) => [link.name, link.up])).toEqual([["lo", true]]);
    expect((await table.routes()).filter((route) => route.prefixLength === 0)).toEqual([]);
    expect(await inside(netns, "cat", "/proc/sys/net/ipv4/ip_unprivileged_port_start")).toBe("0");
  });

  test("is given once, twenty at a time too", async () => {
    const endpoints = await Promise.all(
      Array.from({ length: 20 }, () => networks[0].attach("bridge")),
    );
    expect(new Set(endpoints.map((endpoint) => endpoint.address)).size).toBe(20);
    expect(new Set(endpoints.map((endpoint) => endpoint.endpointId)).size).toBe(20);
    for (const endpoint of endpoints) networks[0].release(endpoint);
  });

  test("takes its link along when it goes", async () => {
    const endpoint = await networks[0].attach("bridge");
    const name = portName(endpoint.endpointId);
    expect(await host.link(name)).toBeDefined();
    networks[0].release(endpoint);
    expect(endpoint.netns.isOpen).toBe(false);
    expect(await settled(async () => (await host.link(name)) === undefined)).toBe(true);
  });
});

describe("after a crash", () => {
  test("the bridge keeps its network, adopted addresses are left alone", async () => {
    const runRoot = `${runRoots[0]}-crash`;
    using state = openState(":memory:");
    const first = await openNetworks({ instanceId: "three", runRoot, state });
    const running = await first.attach("bridge");
    const was = await first.ready("bridge");
    await first.close({ removeBridges: false });

    const second = await openNetworks({ instanceId: "three", runRoot, state });
    const { netns: _, ...known } = running;
    second.adopt(known);
    second.prepare();
    const index = (await host.link((await second.ready("bridge")).bridge))?.index;
    const ports = async () => (await host.links()).filter((link) => link.master === index).length;
    expect(await settled(async () => (await ports()) === 5)).toBe(true);
    expect(await second.ready("bridge")).toEqual(was);
    const given = await Promise.all(Array.from({ length: 8 }, () => second.attach("bridge")));
    expect(given.map((endpoint) => endpoint.address)).not.toContain(running.address);
    using _listener = await listen(running.netns, 8080);
    const [other] = given;
    expect(other && (await reach(other.netns, running.address, 8080))).toBe("open");
    for (const endpoint of [...given, running]) second.release(endpoint);
    await second.close({ removeBridges: true });
    await second.close({ removeBridges: true });
  });

  test("a bridge deleted by hand comes back", async () => {
    const runRoot = `${runRoots[0]}-gone`;
    const network = await open({ instanceId: "four", runRoot });
    await network.attach("bridge").then((endpoint) => network.release(endpoint));
    const { bridge } = await network.ready("bridge");
    await deleteBridge(bridge, runRoot);
    const works = async () => {
      const endpoint = await network.attach("bridge").catch(() => undefined);
      if (endpoint === undefined) return false;
      const { gateway, netns } = endpoint;
      const found = await inside(netns, "busybox", "arping", "-c1", "-w1", "-I", "eth0", gateway);
      network.release(endpoint);
      return found !== "failed";
    };
    expect(await settled(works)).toBe(true);
    await network.close({ removeBridges: true });
  });

  test("the default network moves for its first container when the host has taken its addresses", async () => {
    const runRoot = `${runRoots[0]}-moved`;
    using state = openState(":memory:");
    const first = await openNetworks({ instanceId: "moved", runRoot, state });
    const { subnet } = await first.ready("bridge");
    await first.close({ removeBridges: true });
    const taker = await open({ instanceId: "taker", runRoot: `${runRoot}-taker`, subnet });
    await taker.ready("bridge");

    const second = await openNetworks({ instanceId: "moved", runRoot, state });
    const endpoint = await second.attach("bridge");
    const moved = await second.ready("bridge");
    expect(moved.subnet).not.toBe(subnet);
    expect(containsAddress(moved.subnet, endpoint.address)).toBe(true);
    second.release(endpoint);
    for (const network of [second, taker]) await network.close({ removeBridges: true });
  });

  test("a network that a route of the host overlaps is refused by name", async () => {
    const { subnet } = await networks[0].ready("bridge");
    const runRoot = `${runRoots[0]}-taken`;
    const network = await open({ instanceId: "five", runRoot, subnet });
    expect(await outcome(network.attach("bridge"))).toThrow(subnet);
    (await network.isolated()).close();
    await network.close({ removeBridges: true });
  });
});

describe("networks by name", () => {
  const runRoot = `${runRoots[0]}-names`;

  test("are made with a subnet each, kept apart, and removed when they are empty", async () => {
    const all = await open({ instanceId: "names", runRoot });
    const front = await all.create({ name: "front" });
    const back = await all.create({ name: "back", subnets: [subnetRequest("10.77.3.0/24")] });
    expect(back).toMatchObject({ driver: "bridge", subnet: "10.77.3.0/24", gateway: "10.77.3.1" });
    expect(all.list().map(({ name }) => name)).toEqual(["bridge", "host", "none", "front", "back"]);
    expect(new Set(all.list().map(({ id }) => id)).size).toBe(5);
    expect(all.find(front.id)).toEqual(front);
    const [a, b, c] = [
      await all.attach("front"),
      await all.attach("front"),
      await all.attach("back"),
    ];
    expect(c.address).toBe("10.77.3.2");
    using _listener = await listen(b.netns, 8080);
    expect(await reach(a.netns, b.address, 8080)).toBe("open");
    expect(await dial(c.netns, b.address, 8080)).toBe("failed");
    expect(await reachableFromHost(b.address, 8080)).toBe(true);
    // A second interface, and c reaches what its new network has.
    const second = await all.join("front", c.netns, { link: "eth1", isGateway: false });
    expect(await reach(c.netns, b.address, 8080)).toBe("open");
    expect(await outcome(all.remove("front"))).toThrow("network front has active endpoints");
    for (const endpoint of [a, b, c]) all.release(endpoint);
    expect(await outcome(all.remove("front"))).toThrow("network front has active endpoints");
    all.release(second);
    await all.remove("front");
    expect(await host.link(front.bridge)).toBeUndefined();
    const { bridge } = await all.ready("bridge");
    const left = [bridge, back.bridge].sort();
    expect((await filteredBridges(filter, bridgeNames(runRoot).table)).sort()).toEqual(left);
    await all.close({ removeBridges: true });
    expect(await host.link(back.bridge)).toBeUndefined();
  });

  test("that cannot be: a name twice, a subnet twice, those that are always there", async () => {
    const all = await open({ instanceId: "names", runRoot });
    const first = await all.create({ name: "one", subnets: [subnetRequest("10.77.4.0/24")] });
    expect(await outcome(all.create({ name: "one" }))).toThrow("network with name one already");
    expect(await outcome(all.create({ name: "none" }))).toThrow("network with name none already");
    expect(
      await outcome(all.create({ name: "two", subnets: [subnetRequest("10.77.4.0/24")] })),
    ).toThrow("Pool overlaps with other one on this address space");
    expect(all.list().map(({ name }) => name)).toEqual(["bridge", "host", "none", "one"]);
    const bridges = (await host.links()).filter(({ name }) =>
      name.startsWith(first.bridge.slice(0, 7)),
    );
    expect(bridges.map(({ name }) => name)).toEqual([first.bridge]);
    for (const name of ["bridge", "host", "none"])
      expect(await outcome(all.remove(name))).toThrow("pre-defined network and cannot be removed");
    expect(await outcome(all.attach("host"))).toThrow("no bridge to attach to");
    expect(await outcome(all.attach("three"))).toThrow("network three not found");
    const both = await Promise.allSettled([
      all.create({ name: "same" }),
      all.create({ name: "same" }),
    ]);
    expect(both.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
    await all.close({ removeBridges: true });
  });

  test("whose bridge another program has are refused, and its bridge is left alone", async () => {
    const all = await open({ instanceId: "names", runRoot });
    const foreign = `fo${process.pid}`;
    await host.apply(createBridge({ name: foreign, mac: "02:00:00:00:00:07" }));
    const options = (name: string) => ({ "com.docker.network.bridge.name": name });
    const taken = all.create({ name: "taken", options: options(foreign) });
    expect(await outcome(taken)).toThrow(
      `the interface ${foreign} exists and is not of this network`,
    );
    const link = await host.link(foreign);
    expect(link?.kind).toBe("bridge");
    await host.apply(deleteLink(link?.index ?? 0));
    const own = await all.create({ name: "own", options: options(foreign) });
    expect(own.bridge).toBe(foreign);
    const twice = all.create({ name: "twice", options: options(foreign) });
    expect(await outcome(twice)).toThrow(`the network own has the bridge ${foreign} already`);
    expect(all.list().map(({ name }) => name)).toEqual(["bridge", "host", "none", "own"]);
    await all.remove("own");
    expect(await host.link(foreign)).toBeUndefined();
    await all.close({ removeBridges: true });
  });

  test("have endpoints as they are wished for, and none when no address is left", async () => {
    const all = await open({ instanceId: "names", runRoot });
    const subnets = [{ ...subnetRequest("10.77.5.0/29"), range: "10.77.5.4/31" }];
    const options = { "com.docker.network.driver.mtu": "1300" };
    await all.create({ name: "tight", subnets, options });
    const wish = { link: "lab0", isGateway: true, address: "10.77.5.2", mac: "02:00:00:00:00:09" };
    const settings = { log_martians: 1 };
    const wished = await all.attach("tight", { ...wish, settings });
    expect(wished).toMatchObject({ address: "10.77.5.2", mac: wish.mac, link: "lab0" });
    const [, link] = await new RouteTable({ netns: wished.netns }).links();
    expect(link).toMatchObject({ name: "lab0", mtu: 1300, mac: wish.mac });
    const sysctl = "/proc/sys/net/ipv4/conf/lab0/log_martians";
    expect(await inside(wished.netns, "cat", sysctl)).toBe("1");
    expect(await outcome(all.attach("tight", wish))).toThrow("Address already in use");
    const ranged = await all.attach("tight");
    expect(ranged.address).toBe("10.77.5.5");
    expect(await outcome(all.attach("tight"))).toThrow(
      "no available IPv4 addresses on this network's address pools: tight (",
    );
    // A second interface that fails half-way leaves nothing.
    const same = { link: "lab0", isGateway: false, address: "10.77.5.3" };
    expect(await outcome(all.join("tight", wished.netns, same))).toThrow("lab0");
    const again = await all.join("tight", wished.netns, { ...same, link: "lab1" });
    await all.leave(wished.netns, again);
    const names = (await new RouteTable({ netns: wished.netns }).links()).map(({ name }) => name);
    expect(names).toEqual(["lo", "lab0"]);
    for (const each of [wished, ranged]) all.release(each);
    await all.close({ removeBridges: true });
  });

  test("are there again with their subnets when the engine and its bridges were gone", async () => {
    using state = openState(":memory:");
    const options = { instanceId: "names", runRoot, state };
    const before = await openNetworks(options);
    await before.create({ name: "kept" });
    await before.ready("bridge");
    const was = before.list();
    await before.close({ removeBridges: true });
    const after = await openNetworks(options);
    expect(after.list()).toEqual(was);
    const endpoint = await after.attach("kept");
    expect((await after.ready("kept")).subnet).toBe(after.find("kept").subnet);
    expect(after.list()).toEqual(was);
    after.release(endpoint);
    await after.close({ removeBridges: true });
  });
});

describe("the packet filter", () => {
  test("of Docker that drops forwarded packets lets the bridge through, while it is ours", async () => {
    using netns = await newNetworkNamespace();
    const inner = new Nftables({ netns });
    const table = "filter";
    const forward = { table, name: "FORWARD", type: "filter", hook: "forward" } as const;
    const comment = "thimblex";
    await inner.commit(
      new NftBatch()
        .addTable(table)
        .addBaseChain({ ...forward, priority: 0, policy: "drop" })
        .addChain(table, "DOCKER-USER")
        .addRule({ table, chain: "FORWARD", expressions: [nft.jump("DOCKER-USER")] })
        // As earlier versions left it.
        .addRule({ table, chain: "DOCKER-USER", expressions: [nft.accept()], comment }),
    );
    const comments = async (chain: string) =>
      (await inner.rules(table, chain)).map((rule) => rule.comment);
    await removePass(inner, comment);
    await passForward(inner, [comment]);
    await passForward(inner, [comment]);
    expect(await comments("FORWARD")).toEqual(["", comment, comment]);
    expect(await comments("DOCKER-USER")).toEqual([]);
    await removePass(inner, comment);
    expect(await comments("FORWARD")).toEqual([""]);
  });

  test("is put back when it was flushed, but not against an administrator's policy", async () => {
    using netns = await newNetworkNamespace();
    const inner = new Nftables({ netns });
    const subnets = [parseSubnet("10.0.0.0/8")];
    const policies = async () => (await inner.chains()).map(({ name, policy }) => [name, policy]);
    const open = { isInternal: false, connectsContainers: true, masquerades: true };
    const [one, two] = ["thimblex", "thx-1"].map((name) => ({ name, subnets, ...open }));
    if (!one || !two) throw new Error("two bridges");
    for (const bridge of [one, two, one]) await installRules(inner, "thimble-x", [bridge]);
    expect(await inner.rules("thimble-x", "forward")).toHaveLength(3);
    expect(await inner.rules("thimble-x", "postrouting")).toHaveLength(1);
    expect((await inner.elements("thimble-x", "to-bridge")).length).toBe(2);
    expect(await inner.rules("thimble-x", one.name)).toHaveLength(4);
    await removeRules(inner, "thimble-x", one.name);
    await removeRules(inner, "thimble-x", one.name);
    expect(await filteredBridges(inner, "thimble-x")).toEqual([two.name]);
    expect((await inner.elements("thimble-x", "to-bridge")).length).toBe(1);
    await keepForeignOut(inner);
    await removeTable(inner, "thimble-x");
    await removeTable(inner, "thimble-x");
    const mark = ["THIMBLE-SET-POLICY", undefined];
    expect(await policies()).toEqual([["FORWARD", "drop"], mark]);
    const forward = { table: "filter", name: "FORWARD", type: "filter", hook: "forward" } as const;
    await inner.commit(new NftBatch().addBaseChain({ ...forward, priority: 0, policy: "accept" }));
    await keepForeignOut(inner);
    expect(await policies()).toEqual([["FORWARD", "accept"], mark]);
  });

  test("changes all at once or not at all", async () => {
    using netns = await newNetworkNamespace();
    const inner = new Nftables({ netns });
    const any = (port: number) => ({ address: "0.0.0.0", port });
    const batch = new NftBatch().addTable("a").addAddressSet("a", "s").addPortMap("a", "m");
    batch
      .addAddress("a", "s", "10.0.0.1")
      .addPort("a", "m", any(80), { address: "10.0.0.2", port: 8 });
    await inner.commit(batch);
    const broken = new NftBatch().addAddress("a", "s", "10.0.0.2").deletePort("a", "m", any(81));
    expect(await outcome(inner.commit(broken))).toThrow(
      "cannot remove from the nftables set a m: no such file",
    );
    expect(await inner.elements("a", "s")).toEqual([Buffer.from([10, 0, 0, 1])]);
    expect(await inner.elements("a", "m")).toEqual([Buffer.from([0, 0, 0, 0, 0, 80, 0, 0])]);
    await inner.commit(
      new NftBatch().deletePort("a", "m", any(80)).deleteAddress("a", "s", "10.0.0.1"),
    );
    expect(await inner.elements("a", "s")).toEqual([]);
    await inner.commit(new NftBatch().deleteTable("a"));
    expect(await inner.tables()).toEqual([]);
  });

  test("tells what a port has led elsewhere when it is taken away", async () => {
    using netns = await newNetworkNamespace();
    await new RouteTable({ netns }).apply(setLinkUp(1));
    const inner = new Nftables({ netns });
    const output = { table: "a", name: "o", type: "nat", hook: "output", priority: -100 } as const;
    const [used, unused] = [80, 81].map((port) => ({ address: "127.0.0.1", port }));
    if (!used || !unused) throw new Error("there are two ports");
    await inner.commit(
      new NftBatch()
        .addTable("a")
        .addPortMap("a", "m")
        .addBaseChain(output)
        .addRule({
          table: "a",
          chain: "o",
          expressions: [nft.protocol("udp"), nft.dnatByMap("m", "own")],
        })
        .addPort("a", "m", used, { ...used, port: 8 })
        .addPort("a", "m", unused, { ...unused, port: 9 }),
    );
    await inside(netns, "bash", "-c", `echo x > /dev/udp/${used.address}/${used.port}`);
    const counts = await inner.commit(
      new NftBatch().deletePort("a", "m", unused).deletePort("a", "m", used),
    );
    expect(counts).toEqual([0n, 1n]);
  });
});
