import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Scope } from "#base";
import { type Fd, Nftables, NftBatch, nft } from "#kernel";
import type { Networks } from "#network";
import { foreignFirewall } from "../../src/network/foreign-firewall.ts";
import { type Host, makeHost as makeLan } from "../support/lan.ts";
import { dial, enter, inside, listen, reach } from "../support/namespace.ts";

const PORT = 8080;

/** With a server on each neighbour. */
async function makeHost(scope: Scope, forwards: "0" | "1"): Promise<Host> {
  const host = await makeLan(scope, forwards);
  scope.use(await listen(host.left.netns, PORT));
  scope.use(await listen(host.right.netns, PORT));
  return host;
}

interface Container {
  readonly address: string;
  readonly netns: string;
  readonly egress: ReturnType<Networks["blockedEgress"]>;
}

let opened = 0;

/** Opens an engine's network on the host, in a process of its own; the namespace of its container. */
async function openEngine(host: Host, state = ":memory:"): Promise<AsyncDisposable & Container> {
  const script = `${import.meta.dirname}/../support/network-host.ts`;
  const runRoot = `/tmp/forwarding-${process.pid}-${opened++}`;
  const child = Bun.spawn(enter(host.netns, process.execPath, script, runRoot, state), {
    ...{ stdin: "pipe", stdout: "pipe", stderr: "ignore" },
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

const forwardPolicy = async (netns: Fd) =>
  (await new Nftables({ netns }).chains()).find(
    (chain) => chain.table === "filter" && chain.name === "FORWARD",
  )?.policy;

test("an engine that turns forwarding on forwards nothing but its own", async () => {
  await using scope = new Scope();
  const host = await makeHost(scope, "0");
  {
    await using container = await openEngine(host);
    await using other = await openEngine(host);
    expect(await inside(host.netns, "cat", "/proc/sys/net/ipv4/ip_forward")).toBe("1");
    expect(await dial(host.left.netns, host.right.address, PORT)).toBe("failed");
    expect(await reach(container.netns, host.right.address, PORT)).toBe("open");
    expect(await reach(other.netns, host.right.address, PORT)).toBe("open");
    using _listener = await listen(container.netns, PORT);
    expect(await dial(host.left.netns, container.address, PORT)).toBe("failed");
  }
  // Forwarding stays on, since others may rely on it by now; so what it would let through stays out.
  expect(await dial(host.left.netns, host.right.address, PORT)).toBe("failed");
  expect(await new Nftables({ netns: host.netns }).rules("filter", "FORWARD")).toEqual([]);
});

test("an engine that turned it on drops foreign packets again after the rules were flushed", async () => {
  await using scope = new Scope();
  const host = await makeHost(scope, "0");
  const directory = mkdtempSync(join(tmpdir(), "tf-"));
  scope.defer(() => rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, "state.db");
  {
    await using _engine = await openEngine(host, path);
  }
  await new Nftables({ netns: host.netns }).commit(new NftBatch().deleteTable("filter"));
  expect(await reach(host.left.netns, host.right.address, PORT)).toBe("open");
  await using container = await openEngine(host, path);
  expect(await dial(host.left.netns, host.right.address, PORT)).toBe("failed");
  expect(await reach(container.netns, host.right.address, PORT)).toBe("open");
});

test("a host that forwarded before goes on to", async () => {
  await using scope = new Scope();
  const host = await makeHost(scope, "1");
  await using container = await openEngine(host);
  expect(await reach(host.left.netns, host.right.address, PORT)).toBe("open");
  expect(await reach(container.netns, host.right.address, PORT)).toBe("open");
  expect(await forwardPolicy(host.netns)).toBeUndefined();
  expect(container.egress).toEqual([]);
});

test("a network tells what of the host's firewall drops what its containers send, and the fix", async () => {
  await using scope = new Scope();
  const host = await makeHost(scope, "1");
  const filter = new Nftables({ netns: host.netns });
  const chain = { table: "wall", name: "through", type: "filter", hook: "forward" } as const;
  await filter.commit(
    new NftBatch().addTable("wall").addBaseChain({ ...chain, priority: 10, policy: "drop" }),
  );
  await using container = await openEngine(host);
  expect(await dial(container.netns, host.right.address, PORT)).toBe("failed");
  expect(container.egress).toEqual([
    {
      reason: "the chain through of the table ip wall drops what is forwarded",
      fix: [
        expect.stringMatching(/^nft insert rule ip wall through iifname \S+ accept$/),
        expect.stringMatching(/^nft insert rule ip wall through oifname \S+ accept$/),
      ],
    },
  ]);
});

const barriers: readonly [name: string, tool: string, commands: readonly string[]][] = [
  [
    "a table of the administrator's",
    "nft",
    [
      "nft add table inet wall",
      "nft add chain inet wall through { type filter hook forward priority 0 ; policy drop ; }",
      // Neither is for all that the bridge sends.
      "nft add rule inet wall through iifname front0 tcp dport 22 accept",
      "nft add rule inet wall through oifname != front0 accept",
    ],
  ],
  [
    "iptables' chain FORWARD",
    "iptables-nft",
    [
      "iptables-nft -P FORWARD DROP",
      "iptables-nft -A FORWARD -i front0 -s 192.0.2.1 -j ACCEPT",
      "iptables-nft -A FORWARD -o front1 -j ACCEPT",
    ],
  ],
];

for (const [name, tool, commands] of barriers)
  test.skipIf(!Bun.which(tool))(
    `what drops a bridge's packets in ${name} is named until the fix is in place [needs ${tool.replace("-nft", "")}]`,
    async () => {
      await using scope = new Scope();
      const { netns } = await makeLan(scope, "1");
      const run = async (command: string) =>
        expect(
          await inside(netns, ...command.replace(/^iptables /, "iptables-nft ").split(" ")),
        ).toBe("");
      const blocking = async (bridge = "front0") =>
        (await foreignFirewall(new Nftables({ netns }), { dropsForeign: false })).forward?.blocking(
          bridge,
        );
      for (const command of commands) await run(command);
      const [barrier, ...others] = (await blocking()) ?? [];
      expect(others).toEqual([]);
      expect(barrier?.fix).toHaveLength(2);
      for (const command of barrier?.fix ?? []) {
        expect(await blocking()).toHaveLength(1);
        await run(command);
      }
      expect(await blocking()).toEqual([]);
      expect(await blocking("other0")).toHaveLength(1);
      // A chain behind it is another matter.
      const chain = { table: "late", name: "through", type: "filter", hook: "forward" } as const;
      await new Nftables({ netns }).commit(
        new NftBatch().addTable("late").addBaseChain({ ...chain, priority: 10, policy: "drop" }),
      );
      expect(await blocking()).toMatchObject([
        { reason: "the chain through of the table ip late drops what is forwarded" },
      ]);
      expect(await blocking("other0")).toHaveLength(2);
    },
  );

test("packets that an administrator drops in DOCKER-USER or in FORWARD stay dropped", async () => {
  await using scope = new Scope();
  const host = await makeHost(scope, "1");
  const filter = new Nftables({ netns: host.netns });
  const table = "filter";
  const forward = { table, name: "FORWARD", type: "filter", hook: "forward" } as const;
  const drop = (address: string) => [nft.ipDestination({ address, prefixLength: 32 }), nft.drop()];
  await filter.commit(
    new NftBatch()
      .addTable(table)
      .addBaseChain({ ...forward, priority: 0, policy: "drop" })
      .addChain(table, "DOCKER-USER")
      .addRule({ table, chain: "FORWARD", expressions: [nft.jump("DOCKER-USER")] })
      .addRule({ table, chain: "DOCKER-USER", expressions: drop(host.right.address) }),
  );
  await using container = await openEngine(host);
  expect(await dial(container.netns, host.right.address, PORT)).toBe("failed");
  expect(await reach(container.netns, host.left.address, PORT)).toBe("open");
  const rule = { table, first: true, expressions: drop(host.left.address) };
  await filter.commit(new NftBatch().addRule({ ...rule, chain: "DOCKER-USER" }));
  expect(await dial(container.netns, host.left.address, PORT)).toBe("failed");
  for (const { handle } of await filter.rules(table, "DOCKER-USER"))
    await filter.commit(new NftBatch().deleteRule(table, "DOCKER-USER", handle));
  expect(await reach(container.netns, host.left.address, PORT)).toBe("open");
  await filter.commit(new NftBatch().addRule({ ...rule, chain: "FORWARD" }));
  expect(await dial(container.netns, host.left.address, PORT)).toBe("failed");
  expect(await reach(container.netns, host.right.address, PORT)).toBe("open");
});
