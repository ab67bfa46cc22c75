import { setTimeout as delay } from "node:timers/promises";
import { defined, isFault } from "#base";
import type { Container, ContainerUsage } from "#engine";
import type { BlkioField, ContainerStats, CpuStats, InterfaceStats } from "#wire";
import type { ApiContext } from "./context.ts";
import type { Exchange } from "./exchange.ts";
import type { Route } from "./router.ts";
import { timeText } from "./time-text.ts";
import { containerOf } from "./wording.ts";

/** GET /containers/{id}/stats: the usage of a container, once a second or once. */
export function statsRoutes(context: ApiContext): readonly Route[] {
  return [
    {
      method: "GET",
      pattern: "/containers/:id/stats",
      handle: (exchange) => stats(context, exchange),
    },
  ];
}

async function stats(context: ApiContext, exchange: Exchange): Promise<void> {
  const { query } = exchange;
  const container = containerOf(context.engine, exchange.param("id"));
  const streams = !query.has("stream") || query.flag("stream");
  if (streams) {
    await exchange.stream("application/json", lines(context, exchange, container), {
      atOnce: true,
    });
    return;
  }
  const before = await usageOf(context, container);
  // The use of a CPU is a difference: a message without a stream has one, unless it is to come at once.
  if (!before || (exchange.has("oneShot") && query.flag("one-shot"))) {
    exchange.sendJson(200, statsMessage(container, before, undefined));
    return;
  }
  if (!(await intervalPassed(context, exchange))) return;
  const after = await usageOf(context, container);
  exchange.sendJson(200, statsMessage(container, after, after && before));
}

/** A message each second until the client leaves or the container is gone. */
async function* lines(
  context: ApiContext,
  exchange: Exchange,
  container: Container,
): AsyncGenerator<string> {
  let before: ContainerUsage | undefined;
  do {
    let usage: ContainerUsage | undefined;
    try {
      usage = await usageOf(context, container);
    } catch (error) {
      if (isFault(error, "not_found")) return;
      throw error;
    }
    yield `${JSON.stringify(statsMessage(container, usage, before))}\n`;
    before = usage;
  } while (await intervalPassed(context, exchange));
}

function usageOf({ engine }: ApiContext, { id }: Container): Promise<ContainerUsage | undefined> {
  return engine.containers.stats(id);
}

/** Whether the interval has passed; false when the client has left. */
async function intervalPassed(
  { statsInterval = 1_000 }: ApiContext,
  { signal }: Exchange,
): Promise<boolean> {
  try {
    await delay(statsInterval, undefined, { signal });
    return true;
  } catch {
    return false;
  }
}

const never = "0001-01-01T00:00:00Z";

const idle: CpuStats = {
  cpu_usage: { total_usage: 0, usage_in_kernelmode: 0, usage_in_usermode: 0 },
  throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
};

/** The usage as Docker writes it; `before` is that of the message before. */
function statsMessage(
  { id, name }: Pick<Container, "id" | "name">,
  usage: ContainerUsage | undefined,
  before: ContainerUsage | undefined,
): ContainerStats {
  const links = Object.entries(usage?.links ?? {});
  return {
    name: `/${name}`,
    id,
    read: usage ? timeText(usage.readAt) : never,
    preread: before ? timeText(before.readAt) : never,
    pids_stats: usage?.pids ?? {},
    blkio_stats: blkioStats(usage),
    num_procs: 0,
    storage_stats: {},
    cpu_stats: usage ? cpuStats(usage) : idle,
    precpu_stats: before ? cpuStats(before) : idle,
    memory_stats: usage ? memoryStats(usage) : {},
    ...(links.length > 0 && { networks: Object.fromEntries(links.map(interfaceStats)) }),
  };
}

const blkioFields: readonly BlkioField[] = [
  "io_service_bytes_recursive",
  "io_serviced_recursive",
  "io_queue_recursive",
  "io_service_time_recursive",
  "io_wait_time_recursive",
  "io_merged_recursive",
  "io_time_recursive",
  "sectors_recursive",
];

/** What the kernel does not count is `null`; version 1 has empty lists there, as in Docker. */
function blkioStats(usage: ContainerUsage | undefined): ContainerStats["blkio_stats"] {
  const missing = usage?.io.operations ? [] : null;
  return {
    ...(Object.fromEntries(blkioFields.map((field) => [field, missing])) as Record<
      BlkioField,
      [] | null
    >),
    io_service_bytes_recursive: usage?.io.bytes ?? null,
    io_serviced_recursive: usage?.io.operations ?? null,
  };
}

function cpuStats({ cpu, machine }: ContainerUsage): CpuStats {
  return {
    cpu_usage: {
      total_usage: cpu.total,
      ...defined({ percpu_usage: cpu.perCpu }),
      usage_in_kernelmode: cpu.system,
      usage_in_usermode: cpu.user,
    },
    system_cpu_usage: machine.cpu,
    online_cpus: machine.cpus,
    throttling_data: {
      periods: cpu.throttled.periods,
      throttled_periods: cpu.throttled.throttled,
      throttled_time: cpu.throttled.time,
    },
  };
}

function memoryStats({ memory, machine }: ContainerUsage): ContainerStats["memory_stats"] {
  return {
    usage: memory.usage,
    ...defined({ max_usage: memory.maxUsage }),
    stats: memory.stats,
    limit: memory.limit ?? machine.memory,
  };
}

type Links = ContainerUsage["links"];

function interfaceStats([name, { received, sent }]: [string, Links[string]]): [
  string,
  InterfaceStats,
] {
  return [
    name,
    {
      rx_bytes: received.bytes,
      rx_packets: received.packets,
      rx_errors: received.errors,
      rx_dropped: received.dropped,
      tx_bytes: sent.bytes,
      tx_packets: sent.packets,
      tx_errors: sent.errors,
      tx_dropped: sent.dropped,
    },
  ];
}
