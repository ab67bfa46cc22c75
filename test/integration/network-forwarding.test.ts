import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Scope } from "#base";
import { type Fd, Nftables, NftBatch, nft } from "#kernel";
import type { Networks } from "#network";
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
