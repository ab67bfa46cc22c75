import { describe, expect, test } from "bun:test";
import type { OciResources } from "../oci-resources.ts";
import { cpuWeight, type Settings, settingsV1, settingsV2 } from "./setting.ts";

const MiB = 1024 * 1024;
const written = ({ settings }: Settings) => settings.map(({ file, value }) => `${file}=${value}`);

const disk = { major: 8, minor: 0 };
const everything: OciResources = {
  memory: { limit: 64 * MiB, swap: 96 * MiB, reservation: 32 * MiB },
  cpu: {
    shares: 1024,
    quota: 50_000,
    period: 100_000,
    burst: 1000,
    idle: 0,
    cpus: "0-1,3",
    mems: "0",
  },
  pids: { limit: 50 },
  blockIO: {
    weight: 500,
    weightDevice: [{ ...disk, weight: 10 }],
    throttleReadBpsDevice: [{ ...disk, rate: MiB }],
    throttleWriteIOPSDevice: [{ ...disk, rate: 0 }],
  },
  hugepageLimits: [{ pageSize: "2MB", limit: 4 * MiB }],
};

describe("limits as files", () => {
  test("v1: memory before the sum, devices in order", () => {
    const devices = [
      { allow: false },
      { allow: true, type: "c", major: 136, access: "rw" },
    ] as const;
    expect(written(settingsV1({ ...everything, devices }))).toEqual([
      "memory.limit_in_bytes=67108864",
      "memory.memsw.limit_in_bytes=100663296",
      "memory.soft_limit_in_bytes=33554432",
      "cpu.shares=1024",
      "cpu.cfs_period_us=100000",
      "cpu.cfs_quota_us=50000",
      "cpu.cfs_burst_us=1000",
      "cpu.idle=0",
      "cpuset.cpus=0-1,3",
      "cpuset.mems=0",
      "pids.max=50",
      "blkio.weight=500",
      "blkio.weight_device=8:0 10",
      "blkio.throttle.read_bps_device=8:0 1048576",
      "blkio.throttle.write_iops_device=8:0 0",
      "hugetlb.2MB.limit_in_bytes=4194304",
      "devices.deny=a",
      "devices.allow=c 136:* rw",
    ]);
  });

  test("v2: swap alone, weights converted", () => {
    const unified = { "memory.high": "60000000" };
    expect(written(settingsV2({ ...everything, unified }))).toEqual([
      "memory.max=67108864",
      "memory.swap.max=33554432",
      "memory.low=33554432",
      "cpu.weight=100",
      "cpu.max=50000 100000",
      "cpu.max.burst=1000",
      "cpu.idle=0",
      "cpuset.cpus=0-1,3",
      "cpuset.mems=0",
      "pids.max=50",
      "io.weight=4950",
      "io.weight=8:0 1",
      "io.max=8:0 rbps=1048576",
      "io.max=8:0 wiops=max",
      "hugetlb.2MB.max=4194304",
      "memory.high=60000000",
    ]);
  });

  test("nothing asked, nothing written", () => {
    expect(written(settingsV1({}))).toEqual([]);
    expect(
      written(settingsV2({ memory: { limit: 0, swap: 0 }, cpu: { shares: 0, cpus: "" } })),
    ).toEqual([]);
  });

  test("memory alone leaves swap as it is, -1 is unlimited", () => {
    const limit = 64 * MiB;
    expect(written(settingsV1({ memory: { limit } }))).toEqual([`memory.limit_in_bytes=${limit}`]);
    expect(written(settingsV2({ memory: { limit } }))).toEqual([`memory.max=${limit}`]);
    expect(written(settingsV1({ memory: { limit, swap: -1 } }))).toContain(
      "memory.memsw.limit_in_bytes=-1",
    );
    expect(written(settingsV2({ memory: { limit: -1, swap: -1 } }))).toEqual([
      "memory.max=max",
      "memory.swap.max=max",
    ]);
  });

  test("pids: 0 and below are unlimited", () => {
    expect(written(settingsV1({ pids: { limit: -1 } }))).toEqual(["pids.max=max"]);
    expect(written(settingsV2({ pids: { limit: 0 } }))).toEqual(["pids.max=max"]);
  });

  test("cpu.max keeps the other half", () => {
    expect(written(settingsV2({ cpu: { quota: -1 } }))).toEqual(["cpu.max=max 100000"]);
    expect(written(settingsV2({ cpu: { period: 50_000 } }))).toEqual(["cpu.max=max 50000"]);
  });

  test("a setting that v2 lacks is a warning", () => {
    const { warnings } = settingsV2({ memory: { disableOOMKiller: true, swappiness: 10 } });
    expect(warnings.join()).toMatch(/OOM killer.*swappiness/);
  });
});

test("weights: ends and middle of both scales meet, and more shares never weigh less", () => {
  expect([2, 1024, 262_144].map(cpuWeight)).toEqual([1, 100, 10_000]);
  const weights = Array.from({ length: 200 }, (_, i) => cpuWeight(2 + i * 1300));
  expect(weights).toEqual(weights.toSorted((a, b) => a - b));
});

describe("a value that no cgroup takes, or that is not set, names its field", () => {
  const cases: readonly (readonly [string, OciResources])[] = [
    ["memory.limit", { memory: { limit: 6 * MiB - 1 } }],
    ["memory.swap", { memory: { swap: 64 * MiB } }],
    ["memory.swap", { memory: { limit: 64 * MiB, swap: 32 * MiB } }],
    ["memory.swappiness", { memory: { swappiness: 101 } }],
    ["memory.kernel", { memory: { kernel: MiB } }],
    ["memory.useHierarchy", { memory: { useHierarchy: false } }],
    ["cpu.period", { cpu: { period: 999 } }],
    ["cpu.quota", { cpu: { quota: 999 } }],
    ["cpu.shares", { cpu: { shares: -1 } }],
    ["cpu.idle", { cpu: { idle: 2 } }],
    ["cpu.cpus", { cpu: { cpus: "0-" } }],
    ["cpu.mems", { cpu: { mems: "a" } }],
    ["devices[0].type", { devices: [{ allow: true, type: "p" as "a" }] }],
    ["devices[1]", { devices: [{ allow: false }, { allow: true, major: 3 }] }],
    ["devices[0].access", { devices: [{ allow: true, access: "x" }] }],
    ["blockIO.leafWeight", { blockIO: { leafWeight: 10 } }],
    ["hugepageLimits", { hugepageLimits: [{ pageSize: "../2MB", limit: 1 }] }],
    ["network", { network: { classID: 1 } }],
    ["rdma", { rdma: { mlx: { hcaHandles: 1 } } }],
    ["unified", { unified: { "cgroup.procs": "1" } }],
    ["unified", { unified: { "../memory.max": "1" } }],
  ];
  test.each(cases)("%s", (field, resources) => {
    expect(() => settingsV1(resources)).toThrow(`resources.${field}:`);
    expect(() => settingsV2(resources)).toThrow(`resources.${field}:`);
  });

  test("settings that one version alone has", () => {
    const realtime = { cpu: { realtimeRuntime: 1000 } };
    expect(written(settingsV1(realtime))).toEqual(["cpu.rt_runtime_us=1000"]);
    expect(() => settingsV2(realtime)).toThrow("resources.cpu.realtimeRuntime:");
    expect(() => settingsV1({ unified: { "memory.high": "1" } })).toThrow("this machine has v1");
  });
});
