import { expect, test } from "bun:test";
import type { ContainerStats } from "#wire";
import { cpuPercent, sparkline, usageRow } from "./usage.ts";

const cpu = (total_usage: number, system_cpu_usage: number) => ({
  cpu_usage: { total_usage, usage_in_kernelmode: 0, usage_in_usermode: 0 },
  system_cpu_usage,
  online_cpus: 2,
  throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
});

test.each([
  ["a CPU and a half", cpu(0, 0), cpu(150, 200), 150],
  ["nothing", cpu(5, 100), cpu(5, 200), 0],
  ["a clock that stands still", cpu(5, 100), cpu(9, 100), 0],
  ["no moment before", undefined, cpu(9, 100), 0],
])("the use of the CPU is of the time between: %s", (_, before, now, percent) => {
  expect(cpuPercent(before, now)).toBe(percent);
});

const stats: ContainerStats = {
  name: "/web",
  id: "0123456789abcdef".repeat(4),
  read: "",
  preread: "",
  pids_stats: { current: 3 },
  blkio_stats: {
    io_service_bytes_recursive: [
      { major: 8, minor: 0, op: "read", value: 1_000_000 },
      { major: 8, minor: 16, op: "Read", value: 500_000 },
      { major: 8, minor: 0, op: "write", value: 2_000 },
      { major: 8, minor: 0, op: "total", value: 1_502_000 },
    ],
    io_serviced_recursive: null,
    io_queue_recursive: null,
    io_service_time_recursive: null,
    io_wait_time_recursive: null,
    io_merged_recursive: null,
    io_time_recursive: null,
    sectors_recursive: null,
  },
  num_procs: 0,
  storage_stats: {},
  cpu_stats: cpu(150, 200),
  precpu_stats: cpu(0, 0),
  memory_stats: {
    usage: 3 << 20,
    limit: 64 << 20,
    stats: { inactive_file: 5, total_inactive_file: 1 << 20 },
  },
  networks: {
    eth0: netOf(1_000, 20),
    eth1: netOf(500, 1),
  },
};

function netOf(rx_bytes: number, tx_bytes: number) {
  const none = { rx_packets: 0, rx_errors: 0, rx_dropped: 0 };
  return { rx_bytes, tx_bytes, ...none, tx_packets: 0, tx_errors: 0, tx_dropped: 0 };
}

test("a row has docker's fields and units", () => {
  const before = { ...stats, cpu_stats: cpu(0, 0) };
  expect(usageRow(stats, before, { container: "web", trunc: true })).toEqual({
    Container: "web",
    Name: "web",
    ID: "0123456789ab",
    CPUPerc: "150.00%",
    MemUsage: "2MiB / 64MiB",
    MemPerc: "3.13%",
    NetIO: "1.5kB / 21B",
    BlockIO: "1.5MB / 2kB",
    PIDs: "3",
  });
});

test("a graph has a character for each value", () => {
  expect(sparkline([0, 50, 100, 250], 200)).toBe("▁▃▅█");
});
