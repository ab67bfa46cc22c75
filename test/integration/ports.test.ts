/** Published ports among hosts that are network namespaces: who reaches them, and as whom. */
import { expect, test } from "bun:test";
import { Scope } from "#base";
import { type Fd, Nftables, NftBatch, nft, RouteTable, replaceRoute } from "#kernel";
import { type Host, makeHost } from "../support/lan.ts";
import { dial, enter, inside, type Namespace, reach } from "../support/namespace.ts";
import { documented, publish, wanted } from "../support/published-host.ts";
import { hear, seenAs, whoAmI } from "../support/whoami.ts";

const ask = (netns: Fd | string, host: string, port: number, protocol: "tcp" | "udp" = "tcp") =>
  seenAs(netns, { host, port, protocol });

/** That nobody answers there. */
async function expectSilence(netns: Fd, host: string, port: number): Promise<void> {
  for (const protocol of ["tcp", "udp"] as const)
    expect(await seenAs(netns, { host, port, protocol, patienceMs: 1000 })).toBe("failed");
}

test("a container sees its clients' addresses as docs/ports.md says", async () => {
  await using scope = new Scope();
  const host = await makeHost(scope, "1");
  await using engine = await publish(host, wanted(8080));
  const { web, near, far } = engine;
  using _server = await whoAmI(web.netns, 80);
  const own = host.left.gateway;
  const clients: Readonly<Record<string, readonly [Fd | string, string, string]>> = {
    "another machine": [host.left.netns, own, host.left.address],
    "the host, by an address of its own": [host.netns, own, own],
    "the host, by 127.0.0.1": [host.netns, "127.0.0.1", "127.0.0.1"],
    "the host, by ::1": [host.netns, "::1", "::1"],
    "a container of the same network": [near.netns, own, near.address],
    "a container of another network": [far.netns, own, far.address],
    "the container itself": [web.netns, own, web.address],
  };
  const found: Record<string, readonly string[]> = {};
  for (const [client, [netns, address, itself]] of Object.entries(clients)) {
    const name = (seen: string) =>
      seen === itself ? "its own" : seen === web.gateway ? "the bridge's" : seen;
    const seen = [await ask(netns, address, 8080), await ask(netns, address, 8080, "udp")];
    found[client] = seen.map(name);
  }
  const table = documented("client");
  expect(Object.keys(table)).toEqual([...Object.keys(clients), "anyone, where a firewall filters"]);
  for (const [client, seen] of Object.entries(found))
    expect([client, ...seen]).toEqual([client, ...(table[client]?.slice(1, 3) ?? [])]);
}, 600_000);

test("packets and clients of a port are counted on each way, of each version", async () => {
  await using scope = new Scope();
  const host = await makeHost(scope, "1");
  await using engine = await publish(host, wanted(8080), "dual");
  using _server = await whoAmI(engine.web.netns, 80);
  const counts = async (hostIp: string, protocol: string) => {
    const all = await engine.explain();
    const port = all.find((each) => each.hostIp === hostIp && each.protocol === protocol);
    const { received, sent } = port?.translated ?? {};
    return { received: received?.packets, sent: sent?.packets, clients: port?.traffic?.clients };
  };
  const none = { received: 0, sent: 0, clients: 0 };
  const { left } = host;
  for (const [any, own, loopback] of [
    ["0.0.0.0", left.gateway, "127.0.0.1"],
    ["::", left.gateway6, "::1"],
  ] as const) {
    expect(await counts(any, "tcp")).toEqual(none);
    expect(await ask(left.netns, own, 8080)).not.toBe("failed");
    const first = await counts(any, "tcp");
    // The handshake, and the end of the connection, at least.
    expect(first.received).toBeGreaterThanOrEqual(3);
    expect(first.sent).toBeGreaterThanOrEqual(2);
    expect(first.clients).toBe(0);
    // The host itself, by an address of its own, and then by the proxy.
    expect(await ask(host.netns, own, 8080)).not.toBe("failed");
    const second = await counts(any, "tcp");
    expect(second.received).toBeGreaterThanOrEqual((first.received ?? 0) + 3);
    expect(second.sent).toBeGreaterThanOrEqual((first.sent ?? 0) + 2);
    expect(await ask(host.netns, loopback, 8080)).not.toBe("failed");
    expect((await counts(any, "tcp")).clients).toBe(1);
    expect(await counts(any, "udp")).toEqual(none);
    expect(await ask(left.netns, own, 8080, "udp")).not.toBe("failed");
    expect((await counts(any, "udp")).sent).toBeGreaterThanOrEqual(1);
  }
}, 600_000);

/** The neighbour sends packets for 127.0.0.1 over the wire, and the host takes them, as some cluster software has it. */
async function routeLoopback({ netns, left }: Host): Promise<void> {
  const allow = "echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet";
  for (const each of [netns, left.netns]) await inside(each, "sh", "-c", allow);
  const steps = [
    "route del table local local 127.0.0.0/8 dev lo",
    "route del table local local 127.0.0.1/32 dev lo",
    `route add 127.0.0.1/32 via ${left.gateway} src ${left.address}`,
  ];
  for (const step of steps)
    expect([step, await inside(left.netns, "busybox", "ip", ...step.split(" "))]).toEqual([
      step,
      "",
    ]);
}

test("what is published on loopback takes nothing from the wire", async () => {
  await using scope = new Scope();
  const host = await makeHost(scope, "1");
  const ports = [wanted(8084, "127.0.0.1", 90), wanted(8085, "", 90)].flat();
  await using engine = await publish(host, ports);
  await routeLoopback(host);
  await using server = await hear(engine.web.netns, 90);
  const script = `
    const s = require("node:dgram").createSocket("udp4");
    setInterval(() => { s.send("private", 8084, "127.0.0.1"); s.send("public", 8085, "127.0.0.1"); }, 50);`;
  const attacker = Bun.spawn(enter(host.left.netns, process.execPath, "-e", script));
  scope.defer(() => attacker.kill());
  // The attack is real: to a port that is published to all it gets through.
  expect(await server.until("public")).not.toContain("private");
  expect(await server.until("public")).not.toContain("private");
}, 600_000);

test("nobody reaches a port that was not published to them", async () => {
  await using scope = new Scope();
  const host = await makeHost(scope, "1");
  const { left, right } = host;
  const ports = [
    ...[wanted(8080), wanted(8081, "127.0.0.1"), wanted(8082, left.gateway)].flat(),
    ...wanted(8083, "::1"),
  ];
  await using engine = await publish(host, ports);
  const { web, near, far } = engine;
  // What is not published listens too.
  using _server = await whoAmI(web.netns, 80, 9000);
  const route = { destination: web.gateway.replace(/1$/, "0"), prefixLength: 16 };
  for (const each of [left, right]) {
    const table = new RouteTable({ netns: each.netns });
    const index = (await table.link("eth0"))?.index ?? 0;
    await table.apply(replaceRoute({ ...route, gateway: each.gateway, index }));
  }
  const attackers: Readonly<Record<string, Namespace>> = {
    ...{ left: left.netns, right: right.netns, near: near.netns, far: far.netns },
  };
  const addresses = { left: left.gateway, right: right.gateway, bridge: web.gateway };
  const intended = new Set(
    ["left", "right", "near", "far"].flatMap((from) => [
      ...Object.keys(addresses).map((to) => `${from} -> ${to}:8080`),
      `${from} -> left:8082`,
    ]),
  );
  intended.add("near -> web:80").add("near -> web:9000");
  const tries = Object.entries(attackers).flatMap(([from, netns]) => [
    ...Object.entries(addresses).flatMap(([to, address]) =>
      [8080, 8081, 8082, 8083, 80, 9000].map((at) => ({ from, netns, to, address, at })),
    ),
    ...[80, 9000].map((at) => ({ from, netns, to: "web", address: web.address, at })),
  ]);
  const open = await Promise.all(
    tries.map(async ({ from, netns, to, address, at }) => {
      const path = `${from} -> ${to}:${at}`;
      const attempt = intended.has(path) ? reach : dial;
      return (await attempt(netns, address, at)) === "open" ? path : undefined;
    }),
  );
  const found = open.filter((each) => each !== undefined);
  expect(found.filter((each) => !intended.has(each))).toEqual([]);
  expect([...intended].filter((each) => !found.includes(each))).toEqual([]);
  expect(await ask(host.netns, "127.0.0.1", 8081)).toBe(web.gateway);
  expect(await ask(host.netns, "127.0.0.1", 8081, "udp")).toBe(web.gateway);
  expect(await ask(host.netns, "::1", 8083)).toBe(web.gateway);
}, 600_000);

/** The ports of the maps, as 0.0.0.0:8080. */
async function translated(netns: Fd): Promise<readonly string[]> {
  const filter = new Nftables({ netns });
  const chains = await filter.chains();
  const table = chains.find(({ name }) => name === "ports-prerouting")?.table;
  const keys = table === undefined ? [] : await filter.elements(table, "ports-tcp");
  return keys.map((key) => `${key.subarray(0, 4).join(".")}:${key.readUInt16BE(4)}`);
}

async function until(netns: Fd, want: readonly string[]): Promise<void> {
  for (const end = Date.now() + 60_000; Date.now() < end; await Bun.sleep(10))
    if (JSON.stringify(await translated(netns)) === JSON.stringify(want)) return;
  expect(await translated(netns)).toEqual([...want]);
}

const firewall = (policy: "accept" | "drop") =>
  new NftBatch()
    .addTable("fw")
    .addBaseChain({ table: "fw", name: "in", type: "filter", hook: "input", priority: 0, policy });
const rule = (...expressions: readonly (readonly ReturnType<typeof nft.accept>[number][])[]) => ({
  table: "fw",
  chain: "in",
  expressions,
});

test.each(["before", "after"])(
  "a firewall that came %s the port holds for it",
  async (when) => {
    await using scope = new Scope();
    const host = await makeHost(scope, "1");
    const { netns, left } = host;
    const filter = new Nftables({ netns });
    const own = left.gateway;
    const close = () =>
      filter.commit(
        firewall("drop")
          .addRule(rule(nft.iifname("lo"), nft.accept()))
          .addRule(rule(nft.ctState("established", "related"), nft.accept())),
      );
    if (when === "before") await close();
    await using engine = await publish(host, wanted(8080));
    using _server = await whoAmI(engine.web.netns, 80);
    if (when === "after") {
      await until(netns, ["0.0.0.0:8080"]);
      expect(await ask(left.netns, own, 8080)).toBe(left.address);
      await close();
    }
    await until(netns, []);
    await expectSilence(left.netns, own, 8080);
    expect(await ask(netns, "127.0.0.1", 8080)).toBe(engine.web.gateway);
    // What the firewall lets in comes in, by the proxy's socket.
    const bridge = engine.web.gateway;
    for (const protocol of ["tcp", "udp"] as const)
      await filter.commit(
        new NftBatch().addRule(
          rule(nft.protocol(protocol), nft.destinationPort(8080), nft.accept()),
        ),
      );
    expect(await ask(left.netns, own, 8080)).toBe(bridge);
    expect(await ask(left.netns, own, 8080, "udp")).toBe(bridge);
    // Without it the client's address is kept again.
    await filter.commit(new NftBatch().deleteTable("fw"));
    await until(netns, ["0.0.0.0:8080"]);
    expect(await ask(left.netns, own, 8080)).toBe(left.address);
  },
  120_000,
);

test("one rule for what comes in is reason enough, also in a table of family inet; others' tables stay as they are", async () => {
  await using scope = new Scope();
  const host = await makeHost(scope, "1");
  const { netns, left } = host;
  const filter = new Nftables({ netns });
  await using engine = await publish(host, wanted(8080));
  using _server = await whoAmI(engine.web.netns, 80);
  await until(netns, ["0.0.0.0:8080"]);
  const drop = [nft.protocol("tcp"), nft.destinationPort(8080), nft.drop()];
  await filter.commit(firewall("accept").addRule(rule(...drop)));
  await until(netns, []);
  const blocked = { host: left.gateway, port: 8080, protocol: "tcp", patienceMs: 1000 } as const;
  expect(await seenAs(left.netns, blocked)).toBe("failed");
  expect(await filter.rules("fw", "in")).toHaveLength(1);
  await filter.commit(new NftBatch().deleteTable("fw"));
  await until(netns, ["0.0.0.0:8080"]);
  // A policy of dropping what is forwarded is nobody's but the administrator's here.
  const forward = { table: "fw", name: "out", type: "filter", hook: "forward" } as const;
  await filter.commit(
    new NftBatch().addTable("fw").addBaseChain({ ...forward, priority: 0, policy: "drop" }),
  );
  await until(netns, []);
  expect(await ask(left.netns, left.gateway, 8080)).toBe(engine.web.gateway);
}, 600_000);

test("a client that goes on sending datagrams finds the port's next container", async () => {
  await using scope = new Scope();
  const host = await makeHost(scope, "1");
  await using engine = await publish(host, wanted(8080, "", 90));
  await using first = await hear(engine.web.netns, 90);
  await using second = await hear(engine.near.netns, 90);
  const script = `
    const s = require("node:dgram").createSocket("udp4");
    setInterval(() => s.send("again", 8080, "${host.left.gateway}"), 50);`;
  const client = Bun.spawn(enter(host.left.netns, process.execPath, "-e", script));
  scope.defer(() => client.kill());
  await first.until("again");
  engine.move();
  await second.until("again");
}, 600_000);

test("rules that were flushed come back, and the port is served meanwhile", async () => {
  await using scope = new Scope();
  const host = await makeHost(scope, "1");
  const { netns, left } = host;
  const filter = new Nftables({ netns });
  await using engine = await publish(host, wanted(8080));
  using _server = await whoAmI(engine.web.netns, 80);
  await until(netns, ["0.0.0.0:8080"]);
  const table = (await filter.tables()).find((name) => name.startsWith("thimble-")) ?? "";
  await filter.commit(new NftBatch().deleteTable(table));
  expect(await ask(left.netns, left.gateway, 8080)).not.toBe("failed");
  await until(netns, ["0.0.0.0:8080"]);
}, 600_000);
