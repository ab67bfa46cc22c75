/** Networks of IPv6 among hosts that are network namespaces: addresses, and who reaches whom. */
import { expect, test } from "bun:test";
import { Scope } from "#base";
import { addAddress, type Fd, Nftables, O_RDONLY, openat2, RouteTable } from "#kernel";
import { type Host, makeHost } from "../support/lan.ts";
import { dial, enter, inside, listen, type Namespace, reach } from "../support/namespace.ts";
import { hear, seenAs, whoAmI } from "../support/whoami.ts";

const PORT = 8080;

interface Place {
  readonly address: string;
  readonly gateway: string;
  readonly address6: string;
  readonly prefixLength6: number;
  readonly gateway6: string;
  readonly netns: string;
  readonly bridge: string;
}

const names = ["dual", "other", "inner", "apart", "six", "four"] as const;
type Places = Readonly<Record<(typeof names)[number], readonly [Place, Place]>>;

let opened = 0;

/** The networks of test/support/ipv6-host.ts. */
async function openEngine(host: Host): Promise<AsyncDisposable & Places> {
  const script = `${import.meta.dirname}/../support/ipv6-host.ts`;
  const runRoot = `/tmp/ipv6-${process.pid}-${opened++}`;
  const child = Bun.spawn(enter(host.netns, process.execPath, script, runRoot), {
    stdin: "pipe",
    stdout: "pipe",
  });
  const { value } = await child.stdout.getReader().read();
  return {
    ...JSON.parse(new TextDecoder().decode(value)),
    [Symbol.asyncDispose]: async () => {
      child.stdin.end();
      expect(await child.exited).toBe(0);
    },
  };
}

const setting = (netns: Namespace, link: string, name: string) =>
  inside(netns, "cat", `/proc/sys/net/ipv6/conf/${link}/${name}`);

test("containers of networks with IPv6 reach what those of IPv4 reach, and nothing else", async () => {
  await using scope = new Scope();
  const host = await makeHost(scope, "1");
  const { left } = host;
  await using engine = await openEngine(host);
  const { dual, other, inner, apart, six, four } = engine;
  for (const [server] of [dual, other, inner, apart, six])
    scope.use(await listen(server.netns, PORT));
  scope.use(await listen(host.netns, PORT));
  using _outside = await whoAmI(left.netns, 80);

  for (const [server, client] of [dual, inner, six])
    expect(await reach(client.netns, server.address6, PORT)).toBe("open");
  for (const [server] of [dual, other, inner, six])
    expect(await reach(host.netns, server.address6, PORT)).toBe("open");
  expect(await reach(dual[0].netns, dual[0].gateway6, PORT)).toBe("open");
  // From outside it is the host that asks.
  for (const [client] of [dual, six]) {
    const seen = { host: left.address6, port: 80, protocol: "tcp" } as const;
    expect(await seenAs(client.netns, seen)).toBe(left.gateway6);
  }
  const closed: readonly (readonly [Fd | string, string])[] = [
    [apart[1].netns, apart[0].address6],
    [other[0].netns, dual[0].address6],
    [inner[0].netns, dual[0].address6],
    [dual[0].netns, inner[0].address6],
    [inner[0].netns, left.address6],
    [four[0].netns, dual[0].address6],
    [six[0].netns, dual[0].address],
    // A machine that knows the way.
    [left.netns, dual[0].address6],
    [left.netns, six[0].address6],
  ];
  for (const [netns, address] of closed)
    expect([address, await dial(netns, address, PORT)]).toEqual([address, "failed"]);
}, 600_000);

test("addresses are usable at once, and no router's advertisement counts", async () => {
  await using scope = new Scope();
  const host = await makeHost(scope, "1");
  await using engine = await openEngine(host);
  const { dual, other, six, four } = engine;
  expect(dual.map(({ address6 }) => address6)).toEqual(["fd09:77::2", "fd09:77::3"]);
  expect(dual[0]).toMatchObject({ prefixLength6: 64, gateway6: "fd09:77::1" });
  expect(other[0].address6).toMatch(/^fd[0-9a-f]{2}:[0-9a-f:]+::2$/);
  expect(six[0]).toMatchObject({
    address: "",
    gateway: "",
    gateway6: expect.stringMatching(/::1$/),
  });
  expect(four[0]).toMatchObject({ address6: "", gateway6: "", prefixLength6: 0 });
  for (const { netns, address6, bridge } of [dual[0], other[0], six[0]]) {
    expect(await setting(netns, "eth0", "accept_redirects")).toBe("0");
    for (const [name, value] of Object.entries({ disable_ipv6: "0", accept_ra: "0" })) {
      expect([name, await setting(netns, "eth0", name)]).toEqual([name, value]);
      expect([name, await setting(host.netns, bridge, name)]).toEqual([name, value]);
    }
    const table = new RouteTable({
      netns: scope.use(openat2(undefined, netns, { flags: O_RDONLY })),
    });
    expect(await table.addresses(6)).toContainEqual({
      index: 2,
      address: address6,
      prefixLength: 64,
    });
    // Flags of linux/if_addr.h: nothing is tentative (0x40).
    const flags = (await inside(netns, "cat", "/proc/net/if_inet6")).split("\n");
    for (const line of flags.filter((each) => each.startsWith("fd")))
      expect(Number.parseInt(line.split(/\s+/)[4] ?? "", 16) & 0x40).toBe(0);
    const routes = (await table.routes(6)).filter(
      ({ prefixLength, gateway }) => prefixLength === 0 && gateway,
    );
    expect(routes.map(({ gateway }) => gateway)).toEqual([address6.replace(/\d$/, "1")]);
  }
  expect(await inside(four[0].netns, "cat", "/proc/net/if_inet6")).toMatch(/^0{31}1 .* lo$/);
  expect(await setting(host.netns, four[0].bridge, "disable_ipv6")).toBe("1");
});

test("no container speaks for an address outside its network", async () => {
  await using scope = new Scope();
  const host = await makeHost(scope, "1");
  const { left } = host;
  await using engine = await openEngine(host);
  const { dual } = engine;
  const table = new RouteTable({
    netns: scope.use(openat2(undefined, dual[0].netns, { flags: O_RDONLY })),
  });
  const foreign = "fd66::1";
  await table.apply(addAddress({ index: 2, address: foreign, prefixLength: 128 }));
  await using outside = await hear(left.netns, 90);
  await using inner = await hear(host.netns, 90);
  // What is dropped comes before what is not, so that it would be heard first.
  const script = `
    const dgram = require("node:dgram");
    for (const to of ["${left.address6}", "${dual[0].gateway6}"]) {
      const speak = (from, text, next) => {
        const s = dgram.createSocket("udp6");
        s.bind(0, from, () => s.send(text, 90, to, next));
        return s;
      };
      setInterval(() => speak("${foreign}", "false", function () { this.close?.(); }), 50);
      setTimeout(() => setInterval(() => speak("${dual[0].address6}", "honest"), 50), 500);
    }`;
  const speaker = Bun.spawn(enter(dual[0].netns, process.execPath, "-e", script));
  scope.defer(() => speaker.kill());
  for (const listener of [outside, inner])
    expect(await listener.until("honest")).not.toMatch("false");
});

test("an engine that turns forwarding on forwards nothing but its own, and keeps the host's routers", async () => {
  await using scope = new Scope();
  const host = await makeHost(scope, "0");
  const { left, right } = host;
  scope.use(await listen(right.netns, PORT));
  expect(await setting(host.netns, "lan1", "accept_ra")).toBe("1");
  {
    await using engine = await openEngine(host);
    expect(await setting(host.netns, "all", "forwarding")).toBe("1");
    // Else an interface whose host forwards no longer listens to its routers.
    expect(await setting(host.netns, "lan1", "accept_ra")).toBe("2");
    expect(await reach(engine.dual[0].netns, right.address6, PORT)).toBe("open");
    expect(await dial(left.netns, right.address6, PORT)).toBe("failed");
  }
  expect(await dial(left.netns, right.address6, PORT)).toBe("failed");
  const filter = new Nftables({ netns: host.netns, family: "ip6" });
  expect(await filter.rules("filter", "FORWARD")).toEqual([]);
  expect((await filter.tables()).filter((name) => name.startsWith("thimble"))).toEqual([]);
});
