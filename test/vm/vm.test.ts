import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { runInGuest } from "./guest.ts";

const missing = !existsSync("/usr/bin/qemu-system-x86_64") || !existsSync("/bin/busybox");

describe.skipIf(missing)("a guest with cgroup v2 alone and Linux 6.1 [needs qemu]", () => {
  test("limits volumes and containers by project quotas, on ext4 and xfs", async () => {
    const suites = ["volume", "container"]
      .map((name) => `./test/integration/${name}-quota.test.ts`)
      .join(" ");
    const run = await runInGuest(
      `export TMPDIR=/var/tmp; bun test --timeout 300000 ${suites}`,
      800,
    );
    if (run.status !== 0) console.error(run.output);
    expect(run.status).toBe(0);
    for (const type of existsSync("/usr/sbin/mkfs.xfs") ? ["ext4", "xfs"] : ["ext4"])
      for (const limited of ["volume", "container"])
        expect(run.output).toMatch(
          new RegExp(`\\(pass\\) .*a ${limited} of a limited size on ${type}`),
        );
  });

  test("passes the launch, monitor, cgroup, task, engine, image and network suites", async () => {
    const suites = ["launch", "launch-join", "launch-two-phases", "launch-descriptors"]
      .concat("monitor", "monitor-log", "cgroups", "task", "engine", "images")
      // Its kernel has what others may lack: ipvlan, VLANs, netem.
      .concat("vlan-network", "network-fault")
      .map((name) => `./test/integration/${name}.test.ts`)
      .join(" ");
    const run = await runInGuest(
      `mount | grep cgroup; export TMPDIR=/var/tmp; bun test --timeout 300000 ${suites}`,
      800,
    );
    if (run.status !== 0) console.error(run.output);
    expect(run.output).toContain("type cgroup2");
    expect(run.output).not.toContain("type cgroup ");
    expect(run.status).toBe(0);
    expect(Number(/^ *(\d+) pass$/m.exec(run.output)?.[1])).toBeGreaterThan(20);
  });
});
