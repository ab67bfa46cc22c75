import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { lookup } from "node:dns/promises";
import { readdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { Nftables, NftBatch, newNetworkNamespace, nft, RouteTable } from "#kernel";
import { type Network, openNetwork } from "#network";
import { bridgeNames, deleteBridge, ensureBridge } from "../../src/network/bridge.ts";
import { keepRules, removeRules } from "../../src/network/firewall.ts";
import { keepForeignOut, passForward, removePass } from "../../src/network/forwarding.ts";
import { dial, inside, listen } from "../support/namespace.ts";

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
    const socket = connect({ host: address, port, timeout: 3000 });
    const done = (yes: boolean) => {
      socket.destroy();
      resolve(yes);
    };
    socket.once("connect", () => done(true));
    socket.once("error", () => done(false));
    socket.once("timeout", () => done(false));
  });
}

function openFds(): number {
  return readdirSync("/proc/self/fd").length;
}

async function settled(condition: () => Promise<boolean>): Promise<boolean> {
  const deadline = Date.now() + 5000;
  while (!(await condition())) {
    if (Date.now() > deadline) return false;
    await Bun.sleep(20);
  }
  return true;
}

/** Where forwarding was off, the table `filter` stays: see network-forwarding.test.ts. */
async function ownTables(): Promise<string[]> {
  return (await filter.tables()).filter((name) => name !== "filter").sort();
}

const before = { tables: [] as string[], fds: 0 };
let networks: [Network, Network];

beforeAll(async () => {
  before.tables = await ownTables();
  before.fds = openFds();
  const [a = "", b = ""] = runRoots;
  // At the same time, so that they may want the same network.
  networks = await Promise.all([
    openNetwork({ instanceId: "one", runRoot: a }),
    openNetwork({ instanceId: "two", runRoot: b }),
  ]);
});

afterAll(async () => {
  const bridges = runRoots.map((runRoot) => bridgeNames(runRoot).bridge);
  const links = await host.links();
  const masters = links.filter(({ name }) => bridges.includes(name)).map(({ index }) => index);
  const own = links.filter(({ index, master }) =>
    [index, master].some((at) => masters.includes(at)),
  );
  for (const network of networks) await network.close({ removeBridge: true });
  const left = async () =>
    (await host.links()).filter((link) => own.some(({ index }) => index === link.index));
  // The kernel takes the namespaces' links away in the background.
  await settled(async () => (await left()).length === 0);
  expect(await left()).toEqual([]);
  expect(await ownTables()).toEqual(before.tables);
  expect(openFds()).toBeLessThanOrEqual(before.fds + 2);
}, 20_000);

describe("a bridge", () => {
  test("of each instance, with networks that touch nothing", async () => {
    const [one, two] = await Promise.all(networks.map((network) => network.describe()));
    expect(one?.bridge).not.toBe(two?.bridge);
    expect(one?.subnet).not.toBe(two?.subnet);
    expect(networks[0].id).toMatch(/^[0-9a-f]{64}$/);
    expect(networks[0].id).not.toBe(networks[1].id);
    expect(readFileSync("/proc/sys/net/ipv4/ip_forward", "utf8").trim()).toBe("1");
  });

  test("chooses a network of its own however many open at once", async () => {
    const many = Array.from({ length: 6 }, (_, i) => bridgeNames(`${runRoots[0]}-many-${i}`));
    const bridges = await Promise.all(many.map((names) => ensureBridge(names, undefined)));
    expect(new Set(bridges.map((bridge) => bridge.subnet.base)).size).toBe(many.length);
    for (const bridge of bridges) await deleteBridge(bridge.name);
  });

  test("connects its namespaces with each other and with the host", async () => {
    const [a, b] = await Promise.all([networks[0].attach(), networks[0].attach()]);
    using _listener = await listen(b.netns, 8080);
    expect(await dial(a.netns, b.address, 8080)).toBe("open");
    expect(await dial(a.netns, "127.0.0.1", 8080)).toBe("failed");
    expect(await reachableFromHost(b.address, 8080)).toBe(true);
    for (const endpoint of [a, b]) networks[0].release(endpoint);
  });

  test("keeps what comes from another bridge out, answers aside", async () => {
    const [a, b] = await Promise.all([networks[0].attach(), networks[1].attach()]);
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
    const endpoint = await networks[0].attach();
    expect(await dial(endpoint.netns, address, found.port)).toBe("open");
    networks[0].release(endpoint);
  });
});

describe("a namespace", () => {
  test("has lo, and eth0 with address, MAC and default route", async () => {
    const endpoint = await networks[0].attach();
    const { gateway } = await networks[0].describe();
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

  test("of none has lo only", async () => {
    using netns = await networks[0].isolated();
    const table = new RouteTable({ netns });
    expect((await table.links()).map((link) => [link.name, link.up])).toEqual([["lo", true]]);
    expect((await table.routes()).filter((route) => route.prefixLength === 0)).toEqual([]);
    expect(await inside(netns, "cat", "/proc/sys/net/ipv4/ip_unprivileged_port_start")).toBe("0");
  });

  test("is given once, twenty at a time too", async () => {
    const endpoints = await Promise.all(Array.from({ length: 20 }, () => networks[0].attach()));
    expect(new Set(endpoints.map((endpoint) => endpoint.address)).size).toBe(20);
    expect(new Set(endpoints.map((endpoint) => endpoint.endpointId)).size).toBe(20);
    for (const endpoint of endpoints) networks[0].release(endpoint);
  });

  test("takes its link along when it goes", async () => {
    const ports = async () =>
      (await host.links()).filter((link) => link.name.startsWith("veth")).length;
    const endpoint = await networks[0].attach();
    const most = await ports();
    networks[0].release(endpoint);
    expect(endpoint.netns.isOpen).toBe(false);
    // The pool makes at most as many again as were taken.
    expect(await settled(async () => (await ports()) <= most)).toBe(true);
  });
});

describe("after a crash", () => {
  test("the bridge keeps its network, adopted addresses are left alone", async () => {
    const runRoot = `${runRoots[0]}-crash`;
    const first = await openNetwork({ instanceId: "three", runRoot });
    const running = await first.attach();
    const was = await first.describe();
    await first.close({ removeBridge: false });

    const second = await openNetwork({ instanceId: "three", runRoot });
    // The pool has made an endpoint of that address ahead when it is adopted.
    const index = (await host.link((await second.describe()).bridge))?.index;
    const ports = async () => (await host.links()).filter((link) => link.master === index).length;
    expect(await settled(async () => (await ports()) === 5)).toBe(true);
    second.adopt({ address: running.address, endpointId: running.endpointId });
    expect(await second.describe()).toEqual(was);
    const given = await Promise.all(Array.from({ length: 8 }, () => second.attach()));
    expect(given.map((endpoint) => endpoint.address)).not.toContain(running.address);
    using _listener = await listen(running.netns, 8080);
    const [other] = given;
    expect(other && (await dial(other.netns, running.address, 8080))).toBe("open");
    for (const endpoint of [...given, running]) second.release(endpoint);
    await second.close({ removeBridge: true });
    await second.close({ removeBridge: true });
  });

  test("a bridge deleted by hand comes back", async () => {
    const runRoot = `${runRoots[0]}-gone`;
    const network = await openNetwork({ instanceId: "four", runRoot });
    await network.attach().then((endpoint) => network.release(endpoint));
    const { bridge } = await network.describe();
    await deleteBridge(bridge);
    const works = async () => {
      const endpoint = await network.attach().catch(() => undefined);
      if (endpoint === undefined) return false;
      const { gateway, netns } = endpoint;
      const found = await inside(netns, "busybox", "arping", "-c1", "-w1", "-I", "eth0", gateway);
      network.release(endpoint);
      return found !== "failed";
    };
    expect(await settled(works)).toBe(true);
    await network.close({ removeBridge: true });
  }, 20_000);

  test("a network that a route of the host overlaps is refused by name", async () => {
    const { subnet } = await networks[0].describe();
    const runRoot = `${runRoots[0]}-taken`;
    const network = await openNetwork({ instanceId: "five", runRoot, subnet });
    await expect(network.attach()).rejects.toThrow(subnet);
    (await network.isolated()).close();
    await network.close({ removeBridge: true });
  });
});

describe("the packet filter", () => {
  test("of Docker that drops what is forwarded lets the bridge through, while it is ours", async () => {
    using netns = await newNetworkNamespace();
    const inner = new Nftables({ netns });
    const table = "filter";
    const forward = { table, name: "FORWARD", type: "filter", hook: "forward" } as const;
    const names = { table: "thimble-x", bridge: "thimblex" };
    const comment = names.table;
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
    await passForward(inner, names);
    await passForward(inner, names);
    expect(await comments("FORWARD")).toEqual(["", comment, comment]);
    expect(await comments("DOCKER-USER")).toEqual([]);
    await removePass(inner, comment);
    expect(await comments("FORWARD")).toEqual([""]);
  });

  test("is put back when it was flushed, but not against an administrator's policy", async () => {
    using netns = await newNetworkNamespace();
    const inner = new Nftables({ netns });
    const subnet = { base: 0x0a000000, prefixLength: 8 };
    const bridge = { name: "thimblex", index: 2, mtu: 1500, subnet };
    const policies = async () => (await inner.chains()).map(({ name, policy }) => [name, policy]);
    await keepRules(inner, "thimble-x", bridge);
    await keepRules(inner, "thimble-x", bridge);
    expect(await inner.rules("thimble-x", "forward")).toHaveLength(4);
    await keepForeignOut(inner);
    await removeRules(inner, "thimble-x");
    expect(await policies()).toEqual([["FORWARD", "drop"]]);
    const forward = { table: "filter", name: "FORWARD", type: "filter", hook: "forward" } as const;
    await inner.commit(new NftBatch().addBaseChain({ ...forward, priority: 0, policy: "accept" }));
    await keepForeignOut(inner);
    expect(await policies()).toEqual([["FORWARD", "accept"]]);
  });

  test("changes all at once or not at all", async () => {
    using netns = await newNetworkNamespace();
    const inner = new Nftables({ netns });
    const batch = new NftBatch().addTable("a").addAddressSet("a", "s").addPortMap("a", "m");
    batch.addAddress("a", "s", "10.0.0.1").addPort("a", "m", 80, { address: "10.0.0.2", port: 8 });
    await inner.commit(batch);
    const broken = new NftBatch().addAddress("a", "s", "10.0.0.2").deletePort("a", "m", 81);
    await expect(inner.commit(broken)).rejects.toThrow(
      "cannot remove from the nftables set a m: no such file",
    );
    expect(await inner.elements("a", "s")).toEqual([Buffer.from([10, 0, 0, 1])]);
    expect(await inner.elements("a", "m")).toEqual([Buffer.from([0, 80])]);
    await inner.commit(new NftBatch().deletePort("a", "m", 80).deleteAddress("a", "s", "10.0.0.1"));
    expect(await inner.elements("a", "s")).toEqual([]);
    await inner.commit(new NftBatch().deleteTable("a"));
    expect(await inner.tables()).toEqual([]);
  });
});
