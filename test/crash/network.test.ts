import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Nftables, RouteTable } from "#kernel";
import { networkCrashPoints, openNetworks } from "#network";
import { openState } from "#state";
import { bridgeNames, namedBridges } from "../../src/network/bridge.ts";
import { filteredBridges } from "../../src/network/firewall.ts";

type Step = (typeof networkCrashPoints)[number];

const directory = mkdtempSync(join(tmpdir(), "tn-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Whether the network is there afterwards: it is as soon as it has a row. */
const expectations: Record<Step, { readonly scenario: string; readonly isThere: boolean }> = {
  "network:bridge-made": { scenario: "create", isThere: false },
  "network:rules-made": { scenario: "create", isThere: false },
  "network:recorded": { scenario: "create", isThere: true },
  "network:row-deleted": { scenario: "remove", isThere: false },
  "network:rules-removed": { scenario: "remove", isThere: false },
};

test("every crash step has its test", () => {
  expect(Object.keys(expectations)).toEqual([...networkCrashPoints]);
});

test.each(networkCrashPoints.map((step) => [step] as const))("killed at %s", async (step) => {
  const { scenario, isThere } = expectations[step];
  const path = join(directory, `${step}.db`);
  const runRoot = `/tmp/network-crash-${process.pid}-${step}`;
  const { table } = bridgeNames(runRoot);
  const [filter, filter6] = [new Nftables(), new Nftables({ family: "ip6" })];
  const victim = join(import.meta.dirname, "network-victim.ts");
  const child = Bun.spawn([process.execPath, victim, path, runRoot, scenario, step], {
    stdout: "inherit",
    stderr: "inherit",
  });
  await child.exited;
  expect(child.signalCode).toBe("SIGKILL");

  using state = openState(path);
  const networks = await openNetworks({ instanceId: "crash", runRoot, state });
  const own = (await networks.ready("bridge")).bridge;
  const names = networks.list().map(({ name }) => name);
  expect(names).toEqual(["bridge", "host", "none", ...(isThere ? ["victim"] : [])]);
  const made = isThere ? [(await networks.ready("victim")).bridge] : [];
  expect(await namedBridges(runRoot)).toEqual(made);
  expect((await filteredBridges(filter, table)).sort()).toEqual([own, ...made].sort());
  expect(await filteredBridges(filter6, table)).toEqual(made);
  // What is left must not be in the way of the next one.
  if (isThere) await networks.remove("victim");
  await networks.create({ name: "victim", hasIpv6: true });
  networks.release(await networks.attach("victim"));
  await networks.close({ removeBridges: true });
  for (const each of [filter, filter6]) {
    expect(await filteredBridges(each, table)).toEqual([]);
    expect(await each.tables()).not.toContain(table);
  }
  expect(await namedBridges(runRoot)).toEqual([]);
  expect(await new RouteTable().link(own)).toBeUndefined();
});
