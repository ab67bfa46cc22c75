/** What other programs take away of an engine's networks comes back while the engine runs. */
import { expect, test } from "bun:test";
import { lines, Scope } from "#base";
import {
  createBridge,
  deleteAddress,
  deleteLink,
  deleteRoute,
  RouteTable,
  replaceRoute,
} from "#kernel";
import { type Host, makeHost } from "../support/lan.ts";
import { enter, inside, listen, reach } from "../support/namespace.ts";
import { hasNft, ruleset } from "../support/ruleset.ts";

let opened = 0;

/** Networks of an engine on a host of their own, one of each kind, and published ports. */
async function openHost(scope: Scope) {
  // One that does not forward yet, so that the engine has rules in the table of iptables too.
  const host = await makeHost(scope, "0");
  const script = `${import.meta.dirname}/../support/ruleset-host.ts`;
  const command = enter(host.netns, process.execPath, script, host.left.gateway);
  const child = Bun.spawn(command, { stdin: "pipe", stdout: "pipe" });
  await child.stdout.getReader().read();
  scope.defer(async () => {
    child.stdin.end();
    expect(await child.exited).toBe(0);
  });
  return host;
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 30_000; Date.now() < end; await Bun.sleep(10))
    if (await condition()) return;
}

const damages: readonly (readonly [what: string, command: (table: string) => string])[] = [
  ["all rules of the host", () => "flush ruleset"],
  ["the engine's table", (table) => `delete table ${table}`],
  ["its table of IPv6", () => "delete table ip6 thimble-0"],
  ["its table of bridges", () => "delete table bridge thimble-0"],
  ["the rules of the engine's table", (table) => `flush table ${table}`],
  ["the rules of one chain", (table) => `flush chain ${table} postrouting`],
  ["the rules that find published ports", (table) => `flush chain ${table} ports-prerouting`],
  ["the ports of a map", (table) => `flush map ${table} ports-tcp`],
  ["the policy that keeps strangers out", () => "delete table ip filter"],
  ["the same of IPv6", () => "delete table ip6 filter"],
  ["what lets the bridges pass that policy", () => "flush chain ip filter FORWARD"],
];

test.skipIf(!hasNft)(
  "rules come back when another program removes any of them [needs nft]",
  async () => {
    await using scope = new Scope();
    const { netns } = await openHost(scope);
    const whole = await ruleset(netns);
    expect(whole).toContain("table ip filter {");
    const table = /^table (ip thimble-\S+)/m.exec(whole)?.[1] ?? "";
    for (const [what, command] of damages) {
      expect([what, await inside(netns, "nft", command(table))]).toEqual([what, ""]);
      await until(async () => (await ruleset(netns)) === whole);
      expect([what, await ruleset(netns)]).toEqual([what, whole]);
    }
    // A firewall that is loaded anew: its own rules stay as they are.
    const firewall = "table inet fw {\n\tchain out {\n\t}\n}\n";
    const load = "flush ruleset; add table inet fw; add chain inet fw out";
    expect(await inside(netns, "nft", load)).toBe("");
    // In the order of their names.
    const both = whole.replace(/^table ip /m, `${firewall}$&`);
    await until(async () => (await ruleset(netns)) === both);
    expect(await ruleset(netns)).toBe(both);
  },
  120_000,
);

/** An engine's default network on a host; `log` has the lines of its log as they come. */
async function openEngine(scope: Scope, host: Host) {
  const script = `${import.meta.dirname}/../support/network-host.ts`;
  const runRoot = `/tmp/repair-${process.pid}-${opened++}`;
  const child = Bun.spawn(enter(host.netns, process.execPath, script, runRoot), {
    ...{ stdin: "pipe", stdout: "pipe", stderr: "pipe" },
  });
  scope.defer(async () => {
    child.stdin.end();
    expect(await child.exited).toBe(0);
  });
  const answers = lines(child.stdout)[Symbol.asyncIterator]();
  const next = async () => JSON.parse((await answers.next()).value ?? "");
  const { address, netns } = (await next()) as { address: string; netns: string };
  const log = lines(child.stderr)[Symbol.asyncIterator]();
  const logged = async (text: string): Promise<string> => {
    for (;;) {
      const { value, done } = await log.next();
      if (done) throw new Error(`the log ended without ${text}`);
      if (value.includes(text)) return value;
    }
  };
  const warnings = async (): Promise<readonly string[]> => {
    child.stdin.write("warnings\n");
    child.stdin.flush();
    return await next();
  };
  return { address, netns, logged, warnings };
}

test("a bridge that another program deletes, or takes its address from, comes back with its containers", async () => {
  await using scope = new Scope();
  const host = await makeHost(scope, "1");
  const { netns, logged } = await openEngine(scope, host);
  using _listener = await listen(host.right.netns, 8080);
  expect(await reach(netns, host.right.address, 8080)).toBe("open");
  const table = new RouteTable({ netns: host.netns });
  const bridge = async () =>
    (await table.links()).find(({ name, kind }) => kind === "bridge" && name.startsWith("thimble"));
  const first = await bridge();
  await table.apply(deleteLink(first?.index ?? 0));
  expect(await logged("it is back")).toContain(`bridge=${first?.name}`);
  const second = await bridge();
  expect(second).toMatchObject({ name: first?.name, mac: first?.mac });
  expect(second?.index).not.toBe(first?.index);
  expect(await reach(netns, host.right.address, 8080)).toBe("open");

  const address = (await table.addresses()).find(({ index }) => index === second?.index);
  if (address === undefined) throw new Error("the bridge has no address");
  await table.apply(deleteAddress(address));
  await logged("it is back");
  expect(await table.addresses()).toContainEqual(address);
  expect(await reach(netns, host.right.address, 8080)).toBe("open");

  // Another interface comes and goes.
  await table.apply(createBridge({ name: "other", mac: "02:00:00:00:00:07" }));
  await table.apply(deleteLink((await table.link("other"))?.index ?? 0));
  expect(await bridge()).toEqual(second);
  expect(await reach(netns, host.right.address, 8080)).toBe("open");
}, 600_000);

test("a route that is added later and overlaps with a network is told in the log and in the warnings", async () => {
  await using scope = new Scope();
  const host = await makeHost(scope, "1");
  const { address, logged, warnings } = await openEngine(scope, host);
  expect(await warnings()).toEqual([]);
  const table = new RouteTable({ netns: host.netns });
  const index = (await table.link("lan1"))?.index ?? 0;
  const via = { gateway: host.left.address, index };
  const everywhere = { destination: "128.0.0.0", prefixLength: 1, ...via };
  const elsewhere = { destination: "10.200.0.0", prefixLength: 16, ...via };
  const route = { destination: address, prefixLength: 32, ...via };
  for (const each of [everywhere, elsewhere, route]) await table.apply(replaceRoute(each));
  const text = `the route to ${address}/32 by lan1 overlaps with the network bridge`;
  expect(await logged("overlaps")).toContain(text);
  const [warning = "", ...more] = await warnings();
  expect(warning).toStartWith(text);
  expect(more).toEqual([]);
  await table.apply(deleteRoute(route));
  expect(await warnings()).toEqual([]);
}, 600_000);
