import { formatBytes, shortId } from "#base";
import type { ContainerStats, CpuStats } from "#wire";
import { binarySize } from "./human.ts";
import type { Row } from "./listing.ts";

/** Percent of one CPU between two moments, so that two busy ones are 200. */
export function cpuPercent(before: CpuStats | undefined, now: CpuStats): number {
  const used = now.cpu_usage.total_usage - (before?.cpu_usage.total_usage ?? 0);
  const passed = (now.system_cpu_usage ?? 0) - (before?.system_cpu_usage ?? 0);
  return before && used > 0 && passed > 0 ? (used / passed) * (now.online_cpus ?? 1) * 100 : 0;
}

/** Bytes without the page cache that the kernel gives back first. */
function memoryUsed({ memory_stats: { usage = 0, stats = {} } }: ContainerStats): number {
  const cache = stats.total_inactive_file ?? stats.inactive_file ?? 0;
  return cache < usage ? usage - cache : usage;
}

/** The fields that `stats --format` knows, of the usage at two moments. */
export function usageRow(
  now: ContainerStats,
  before: ContainerStats | undefined,
  { container, trunc }: { readonly container: string; readonly trunc: boolean },
): Row {
  const { limit = 0 } = now.memory_stats;
  const used = memoryUsed(now);
  const links = Object.values(now.networks ?? {});
  const sum = (counts: readonly number[]) => formatBytes(counts.reduce((a, b) => a + b, 0));
  const onDisk = (op: string) =>
    sum(
      (now.blkio_stats.io_service_bytes_recursive ?? [])
        .filter((count) => count.op.toLowerCase() === op)
        .map(({ value }) => value),
    );
  const id = now.id ?? "";
  return {
    Container: container,
    Name: (now.name ?? "").replace(/^\//, ""),
    ID: trunc ? shortId(id) : id,
    CPUPerc: percent(cpuPercent(before?.cpu_stats, now.cpu_stats)),
    MemUsage: `${binarySize(used)} / ${binarySize(limit)}`,
    MemPerc: percent(limit > 0 ? (used / limit) * 100 : 0),
    NetIO: `${sum(links.map((link) => link.rx_bytes))} / ${sum(links.map((link) => link.tx_bytes))}`,
    BlockIO: `${onDisk("read")} / ${onDisk("write")}`,
    PIDs: String(now.pids_stats.current ?? 0),
  };
}

function percent(value: number): string {
  return `${value.toFixed(2)}%`;
}

const bars = "▁▂▃▄▅▆▇█";

/** Percents as a small graph, a character each; the whole height is `full`. */
export function sparkline(values: readonly number[], full: number): string {
  const last = bars.length - 1;
  return values
    .map((value) => bars[Math.min(last, Math.floor((value / full) * bars.length))])
    .join("");
}
