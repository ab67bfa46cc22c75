import { readFileSync } from "node:fs";
import { totalmem } from "node:os";
import { isFault } from "#base";
import { networkModeOf } from "#container";
import type { ContainerUsage } from "../contract.ts";
import type { Parts } from "../parts.ts";
import { isUp } from "./container-record.ts";

/** The usage of a container that runs; the interfaces of the host are not its own. */
export async function containerStats(
  parts: Parts<"store" | "live" | "clock">,
  ref: string,
): Promise<ContainerUsage | undefined> {
  const { id, host, state } = parts.store.find(ref);
  const live = parts.live.get(id);
  if (!live || !isUp(state)) return undefined;
  try {
    const { links, ...usage } = await live.task.stats();
    return {
      ...usage,
      links: networkModeOf(host).kind === "host" ? {} : links,
      readAt: parts.clock.now(),
      machine: { ...hostCpu(readFileSync("/proc/stat", "utf8")), memory: totalmem() },
    };
  } catch (error) {
    if (isFault(error, "conflict")) return undefined;
    throw error;
  }
}

/** Nanoseconds of a tick of /proc/stat: USER_HZ is 100 on every Linux that this runs on. */
const tick = 1e7;

/** The time of all CPUs together, busy or idle (proc_stat(5)), in the seven kinds that Docker adds up, and their number. */
export function hostCpu(stat: string): { readonly cpu: number; readonly cpus: number } {
  const lines = stat.split("\n");
  const [, ...times] = (lines[0] ?? "").split(/\s+/).map(Number);
  const cpu = times.slice(0, 7).reduce((sum, ticks) => sum + ticks * tick, 0);
  return { cpu, cpus: lines.filter((line) => /^cpu\d/.test(line)).length };
}
