/** Who reaches published ports, with and without firewalls of the host: nobody who should not. */
import { describe, expect, test } from "bun:test";
import { Scope } from "#base";
import { type Fd, Nftables } from "#kernel";
import { foreignFirewall } from "../../src/network/foreign-firewall.ts";
import { hasFirewalld, openFirewalld } from "../support/firewalld.ts";
import { type Host, makeHost } from "../support/lan.ts";
import { dial, inside, listen, type Namespace, reach } from "../support/namespace.ts";
import { type PortEngine, publish, wanted } from "../support/published-host.ts";
import { hasUfw, openUfw } from "../support/ufw.ts";
import { seenAs, whoAmI } from "../support/whoami.ts";

/** Ports of the host by where they are published; the container has another that is not. */
const ports = { any: 8080, loopback: 8081, lan: 8082 } as const;
const unpublished = 9000;

/** What is open, as "CLIENT -> ADDRESS:PORT", of all that there is to try. */
async function openPaths(host: Host, engine: PortEngine, intended: ReadonlySet<string>) {
  const { left, right } = host;
  const { web, near, far, vault } = engine;
  const clients: Readonly<Record<string, Namespace>> = {
    ...{ outside: left.netns, "another outside": right.netns, host: host.netns },
    ...{ "same network": near.netns, "other network": far.netns, internal: vault.netns },
  };
  const addresses: Readonly<Record<string, string>> = {
    ...{ lan: left.gateway, "other lan": right.gateway, bridge: web.gateway },
    ...{ loopback: "127.0.0.1", "loopback of IPv6": "::1", "internal bridge": vault.gateway },
  };
  const hostPorts = [...Object.values(ports), unpublished];
  const tries = Object.entries(clients).flatMap(([client, netns]) => [
    // The loopback of any other is its own.
    ...Object.entries(addresses)
      .filter(([name]) => client === "host" || !name.startsWith("loopback"))
      .flatMap(([name, address]) =>
        hostPorts.map((port) => ({ netns, address, port, path: `${client} -> ${name}:${port}` })),
      ),
    ...[80, unpublished].flatMap((port) => [
      { netns, address: web.address, port, path: `${client} -> container:${port}` },
      { netns, address: vault.address, port, path: `${client} -> vault:${port}` },
    ]),
  ]);
  const open: string[] = [];
  const waiting = [...tries];
  const work = async () => {
    for (let each = waiting.shift(); each; each = waiting.shift()) {
      const attempt = intended.has(each.path) ? reach : dial;
      if ((await attempt(each.netns, each.address, each.port)) === "open") open.push(each.path);
    }
  };
  await Promise.all(Array.from({ length: 8 }, work));
  return open.sort();
}

const published = [
  ...wanted(ports.any),
  ...wanted(ports.loopback, "127.0.0.1"),
  ...wanted(ports.lan, "10.9.1.1"),
];

/**
 * `reached` are the ports that others than the host reach. Containers of one network reach each other
 * unless packets between them pass the chain FORWARD (br_netfilter) and that drops what it does not know.
 */
function intendedPaths(reached: readonly number[], isForwarded: boolean) {
  const found = new Set<string>();
  const add = (client: string, addresses: readonly string[], port: number) => {
    for (const address of addresses) found.add(`${client} -> ${address}:${port}`);
  };
  const own = ["lan", "other lan", "bridge"];
  for (const client of ["outside", "another outside"])
    for (const port of reached) add(client, port === ports.lan ? ["lan"] : own, port);
  for (const client of ["same network", "other network"])
    for (const port of reached) add(client, port === ports.lan ? ["lan"] : own, port);
  add("host", [...own, "loopback", "loopback of IPv6"], ports.any);
  add("host", ["lan"], ports.lan);
  add("host", ["loopback"], ports.loopback);
  for (const port of [80, unpublished]) {
    add("host", ["container", "vault"], port);
    if (isForwarded) add("same network", ["container"], port);
    add("internal", ["vault"], port);
  }
  return found;
}

/** Routes of others to the containers' networks, as an attacker beside the host has them. */
async function routeToContainers({ left, right }: Host, { web, vault }: PortEngine): Promise<void> {
  for (const { netns, gateway } of [left, right])
    for (const address of [web.address, vault.address])
      await inside(netns, "busybox", "ip", "route", "add", `${address}/32`, "via", gateway);
}

async function withServers(scope: Scope, { web, vault }: PortEngine): Promise<void> {
  for (const { netns } of [web, vault]) {
    scope.use(await listen(netns, 80));
    scope.use(await listen(netns, unpublished));
  }
}

const all = [ports.any, ports.lan];
const firewalls: readonly [
  name: string,
  needs: boolean,
  load: (scope: Scope, netns: Fd) => Promise<unknown>,
  fromOutside: readonly number[],
][] = [
  ["no firewall", true, async () => undefined, all],
  [
    "plain nftables that lets nothing in [needs nft]",
    Bun.which("nft") !== null,
    (_, netns) =>
      inside(
        netns,
        "nft",
        "add table inet fw; add chain inet fw in { type filter hook input priority 0; policy drop; }; " +
          "add rule inet fw in iifname lo accept; add rule inet fw in ct state established,related accept; " +
          "add rule inet fw in meta l4proto ipv6-icmp accept",
      ),
    [],
  ],
  [
    "iptables-nft that lets one port in [needs iptables]",
    Bun.which("iptables-nft") !== null,
    async (_, netns) => {
      for (const rule of [
        "-A INPUT -i lo -j ACCEPT",
        "-A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT",
        `-A INPUT -p tcp --dport ${ports.lan} -j ACCEPT`,
        "-P INPUT DROP",
      ])
        expect(await inside(netns, "iptables-nft", ...rule.split(" "))).toBe("");
    },
    [ports.lan],
  ],
  [
    "ufw as it is after `ufw enable` [needs ufw]",
    hasUfw,
    async (scope, netns) => await openUfw(scope, netns)("enable"),
    [],
  ],
  [
    "ufw that allows one port [needs ufw]",
    hasUfw,
    async (scope, netns) => {
      const ufw = openUfw(scope, netns);
      await ufw("enable");
      await ufw("allow", `${ports.any}/tcp`);
    },
    [ports.any],
  ],
  [
    "firewalld that allows one port in its default zone [needs firewalld]",
    hasFirewalld,
    async (scope, netns) => {
      const firewall = await openFirewalld(scope, netns);
      await firewall(`--add-port=${ports.any}/tcp`);
    },
    [ports.any],
  ],
];

describe("exposure", () => {
  for (const [name, has, load, fromOutside] of firewalls)
    test.skipIf(!has)(
      `behind ${name}`,
      async () => {
        await using scope = new Scope();
        const host = await makeHost(scope, "1");
        await load(scope, host.netns);
        await using engine = await publish(host, published);
        await withServers(scope, engine);
        await routeToContainers(host, engine);
        const bridged = "/proc/sys/net/bridge/bridge-nf-call-iptables";
        const isBridged = (await inside(host.netns, "cat", bridged)) === "1";
        const intended = intendedPaths(fromOutside, !(isBridged && /^(ufw|firewalld) /.test(name)));
        const open = await openPaths(host, engine, intended);
        expect(open.filter((path) => !intended.has(path))).toEqual([]);
        expect([...intended].filter((path) => !open.includes(path))).toEqual([]);
      },
      300_000,
    );
});

test.skipIf(!Bun.which("nft"))(
  "ports that are published through pass by a chain that filters what comes in, with their clients' addresses [needs nft]",
  async () => {
    await using scope = new Scope();
    const host = await makeHost(scope, "1");
    const { netns, left } = host;
    await inside(
      netns,
      "nft",
      "add table inet fw; add chain inet fw in { type filter hook input priority 0; policy drop; }",
    );
    await using engine = await publish(host, wanted(8080), undefined, { isThrough: true });
    using _server = await whoAmI(engine.web.netns, 80);
    const at = { host: left.gateway, port: 8080 } as const;
    expect(await seenAs(left.netns, { ...at, protocol: "tcp" })).toBe(left.address);
    expect(await seenAs(left.netns, { ...at, protocol: "udp" })).toBe(left.address);
    // A chain that drops what is forwarded holds all the same.
    const chain = "{ type filter hook forward priority 0; policy drop; }";
    await inside(netns, "nft", `add chain inet fw out ${chain}`);
    const late = { ...at, protocol: "tcp", patienceMs: 1000 } as const;
    let seen = "";
    for (const end = Date.now() + 20_000; seen !== "failed" && Date.now() < end; )
      seen = await seenAs(left.netns, late);
    expect(seen).toBe("failed");
  },
  120_000,
);

test.skipIf(!hasUfw)(
  "what containers send is dropped by a policy of the administrator's until the fix that is named is carried out [needs ufw]",
  async () => {
    await using scope = new Scope();
    const host = await makeHost(scope, "1");
    const { netns, left } = host;
    const ufw = openUfw(scope, netns);
    await ufw("enable");
    scope.use(await listen(left.netns, 8000));
    await using engine = await publish(host, wanted(8080));
    expect(await dial(engine.web.netns, left.address, 8000)).toBe("failed");
    const { forward } = await foreignFirewall(new Nftables({ netns }), { dropsForeign: false });
    expect(forward?.reason).toBe(
      "the chain FORWARD of the table ip filter drops what is forwarded",
    );
    const fixes = forward?.blocking(engine.bridge).flatMap(({ fix }) => fix) ?? [];
    expect(fixes).toHaveLength(2);
    for (const command of fixes) {
      expect(command).toStartWith("ufw ");
      await ufw(...command.split(" ").slice(1));
    }
    expect(await reach(engine.web.netns, left.address, 8000)).toBe("open");
    const fixed = await foreignFirewall(new Nftables({ netns }), { dropsForeign: false });
    expect(fixed.forward?.blocking(engine.bridge)).toEqual([]);
    expect(fixed.forward?.blocking("other0")).toHaveLength(1);
  },
  120_000,
);

test.skipIf(!hasFirewalld)(
  "zones of firewalld hold for published ports, also when it is loaded anew, and name the fix for what containers send [needs firewalld]",
  async () => {
    await using scope = new Scope();
    const host = await makeHost(scope, "1");
    const { netns, left, right } = host;
    const firewall = await openFirewalld(scope, netns);
    await firewall("--permanent", "--zone=internal", "--add-interface=lan2");
    await firewall("--reload");
    const seen = (from: typeof left, isOpen: boolean) =>
      seenAs(from.netns, {
        ...{ host: from.gateway, port: 8080, protocol: "tcp" },
        ...(!isOpen && { patienceMs: 1000 }),
      });
    {
      await using engine = await publish(host, wanted(8080), undefined, { isThrough: true });
      using _server = await whoAmI(engine.web.netns, 80);
      expect(await seen(left, true)).toBe(left.address);
      await firewall("--reload");
      expect(await seen(left, true)).toBe(left.address);
    }
    await using engine = await publish(host, wanted(8080));
    using _server = await whoAmI(engine.web.netns, 80);
    expect(await seen(right, false)).toBe("failed");
    await firewall("--permanent", "--zone=internal", "--add-port=8080/tcp");
    await firewall("--reload");
    expect(await seen(right, true)).toBe(engine.web.gateway);
    expect(await seen(left, false)).toBe("failed");
    scope.use(await listen(left.netns, 8000));
    expect(await dial(engine.web.netns, left.address, 8000)).toBe("failed");
    const policy = async () =>
      (await foreignFirewall(new Nftables({ netns }), { dropsForeign: false })).forward;
    const forward = await policy();
    expect(forward?.reason).toBe(
      "the chain filter_FORWARD of the table inet firewalld rejects what is forwarded from interfaces in its default zone",
    );
    const fixes = forward?.blocking(engine.bridge).flatMap(({ fix }) => fix) ?? [];
    expect(fixes).toHaveLength(2);
    for (const command of fixes) {
      expect(command).toStartWith("firewall-cmd ");
      await firewall(...command.split(" ").slice(1));
    }
    expect(await reach(engine.web.netns, left.address, 8000)).toBe("open");
    expect((await policy())?.blocking(engine.bridge)).toEqual([]);
  },
  240_000,
);

test.skipIf(!Bun.which("nft"))(
  "rules of the user come before those of networks, and stay when the engine ends and comes back [needs nft]",
  async () => {
    await using scope = new Scope();
    const host = await makeHost(scope, "1");
    const { netns, left } = host;
    const filter = new Nftables({ netns });
    const rulesOfUser = async () => {
      const table = (await filter.tables()).find((name) => name.startsWith("thimble-")) ?? "";
      return { table, rules: await filter.rules(table, "rules-of-the-user") };
    };
    const runRoot = `/tmp/exposure-${process.pid}`;
    {
      await using engine = await publish(host, wanted(8080), undefined, { runRoot });
      using _server = await whoAmI(engine.web.netns, 80);
      const at = { host: left.gateway, port: 8080, protocol: "tcp" } as const;
      expect(await seenAs(left.netns, at)).toBe(left.address);
      const { table } = await rulesOfUser();
      const rule = `ip ${table} rules-of-the-user ip saddr ${left.address} tcp dport 80 drop`;
      await inside(netns, "nft", `add rule ${rule}`);
      expect(await seenAs(left.netns, { ...at, patienceMs: 1000 })).toBe("failed");
      expect(await seenAs(host.right.netns, { ...at, host: host.right.gateway })).toBe(
        host.right.address,
      );
    }
    expect((await rulesOfUser()).rules).toHaveLength(1);
    await using engine = await publish(host, wanted(8080), undefined, { runRoot });
    expect((await rulesOfUser()).rules).toHaveLength(1);
    using _server = await whoAmI(engine.web.netns, 80);
    const at = { host: left.gateway, port: 8080, protocol: "tcp", patienceMs: 1000 } as const;
    expect(await seenAs(left.netns, at)).toBe("failed");
  },
  120_000,
);
