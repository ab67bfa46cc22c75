/** What other programs take away of an engine's networks comes back while the engine runs. */
import { expect, test } from "bun:test";
import { Scope } from "#base";
import { makeHost } from "../support/lan.ts";
import { enter, inside } from "../support/namespace.ts";
import { hasNft, ruleset } from "../support/ruleset.ts";

let opened = 0;

/** An engine's networks on a host of their own, with a published port. */
async function openHost(scope: Scope) {
  // One that does not forward yet, so that the engine has rules in the table of iptables too.
  const host = await makeHost(scope, "0");
  const script = `${import.meta.dirname}/../support/port-host.ts`;
  const runRoot = `/tmp/repair-${process.pid}-${opened++}`;
  const ports = [
    { protocol: "tcp", containerPort: 80, hostIp: "", range: { first: 80, last: 80 } },
  ];
  const command = enter(host.netns, process.execPath, script, runRoot, JSON.stringify(ports));
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
  ["the rules of the engine's table", (table) => `flush table ${table}`],
  ["the rules of one chain", (table) => `flush chain ${table} postrouting`],
  ["the rules that find published ports", (table) => `flush chain ${table} ports-prerouting`],
  ["the ports of a map", (table) => `flush map ${table} ports-tcp`],
  ["the policy that keeps strangers out", () => "delete table ip filter"],
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
    await until(async () => (await ruleset(netns)) === firewall + whole);
    expect(await ruleset(netns)).toBe(firewall + whole);
  },
  120_000,
);
