import { describe, expect, test } from "bun:test";
import type { Resources } from "../resources.ts";
import { cpuWeight, type Settings, settingsV1, settingsV2 } from "./setting.ts";

const MiB = 1024 * 1024;
const written = ({ settings }: Settings) => settings.map(({ file, value }) => `${file}=${value}`);

const everything: Resources = {
  memory: 64 * MiB,
  memorySwap: 96 * MiB,
  memoryReservation: 32 * MiB,
  cpuShares: 1024,
  cpuQuota: 50_000,
  cpuPeriod: 100_000,
  cpusetCpus: "0-1,3",
  cpusetMems: "0",
  pidsLimit: 50,
  blkioWeight: 500,
};

describe("limits as files", () => {
  test("v1: memory before the sum, devices in order", () => {
    const devices = [
      { allow: false, type: "a", major: -1, minor: -1, access: "rwm" },
      { allow: true, type: "c", major: 136, minor: -1, access: "rw" },
    ] as const;
    expect(written(settingsV1({ ...everything, devices }))).toEqual([
      "memory.limit_in_bytes=67108864",
      "memory.memsw.limit_in_bytes=100663296",
      "memory.soft_limit_in_bytes=33554432",
      "cpu.shares=1024",
      "cpu.cfs_period_us=100000",
      "cpu.cfs_quota_us=50000",
      "cpuset.cpus=0-1,3",
      "cpuset.mems=0",
      "pids.max=50",
      "blkio.weight=500",
      "devices.deny=a",
      "devices.allow=c 136:* rw",
    ]);
  });

  test("v2: swap alone, weights converted", () => {
    expect(written(settingsV2(everything))).toEqual([
      "memory.max=67108864",
      "memory.swap.max=33554432",
      "memory.low=33554432",
      "cpu.weight=100",
      "cpu.max=50000 100000",
      "cpuset.cpus=0-1,3",
      "cpuset.mems=0",
      "pids.max=50",
      "io.weight=4950",
    ]);
  });

  test("nothing asked, nothing written", () => {
    expect(written(settingsV1({}))).toEqual([]);
    expect(written(settingsV2({ memory: 0, cpuShares: 0 }))).toEqual([]);
  });

  test("memory alone gives as much swap again, -1 unlimited swap", () => {
    expect(written(settingsV1({ memory: 64 * MiB }))).toContain(
      `memory.memsw.limit_in_bytes=${128 * MiB}`,
    );
    expect(written(settingsV2({ memory: 64 * MiB }))).toContain(`memory.swap.max=${64 * MiB}`);
    const unlimited = { memory: 64 * MiB, memorySwap: -1 };
    expect(written(settingsV1(unlimited))).toContain("memory.memsw.limit_in_bytes=-1");
    expect(written(settingsV2(unlimited))).toContain("memory.swap.max=max");
  });

  test("pids: 0 and below are unlimited", () => {
    expect(written(settingsV1({ pidsLimit: -1 }))).toEqual(["pids.max=max"]);
    expect(written(settingsV2({ pidsLimit: 0 }))).toEqual(["pids.max=max"]);
  });

  test("cpu.max keeps the other half", () => {
    expect(written(settingsV2({ cpuQuota: -1 }))).toEqual(["cpu.max=max 100000"]);
    expect(written(settingsV2({ cpuPeriod: 50_000 }))).toEqual(["cpu.max=max 50000"]);
  });

  test("what v2 does not have is a warning", () => {
    const { warnings } = settingsV2({ oomKillDisable: true, memorySwappiness: 10 });
    expect(warnings.join()).toMatch(/OOM killer.*swappiness/);
  });
});

test("weights: ends and middle of both scales meet, and more shares never weigh less", () => {
  expect([2, 1024, 262_144].map(cpuWeight)).toEqual([1, 100, 10_000]);
  const weights = Array.from({ length: 200 }, (_, i) => cpuWeight(2 + i * 1300));
  expect(weights).toEqual(weights.toSorted((a, b) => a - b));
});

describe("what no cgroup would take names its field", () => {
  const cases: readonly (readonly [keyof Resources, Resources])[] = [
    ["memory", { memory: 6 * MiB - 1 }],
    ["memorySwap", { memorySwap: 64 * MiB }],
    ["memorySwap", { memory: 64 * MiB, memorySwap: 32 * MiB }],
    ["cpuPeriod", { cpuPeriod: 999 }],
    ["cpuQuota", { cpuQuota: 999 }],
    ["cpuShares", { cpuShares: -1 }],
    ["cpusetCpus", { cpusetCpus: "0-" }],
    ["cpusetMems", { cpusetMems: "a" }],
    ["memorySwappiness", { memorySwappiness: 101 }],
  ];
  test.each(cases)("%s", (field, resources) => {
    expect(() => settingsV1(resources)).toThrow(`resources.${field}:`);
    expect(() => settingsV2(resources)).toThrow(`resources.${field}:`);
  });
});
