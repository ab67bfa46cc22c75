import { defined, Fault } from "#base";
import type { HostConfig } from "./host-options.ts";

/** The least memory with which a process can be started inside its cgroup, as Docker has it. */
const leastMemory = 6 * 1024 * 1024;

function refuse(message: string, about?: string): never {
  throw new Fault("invalid", message, defined({ about }));
}

/** Faults unless the limits make sense together and on this machine; Docker's rules and words. */
export function checkResources(host: HostConfig, machine: { readonly cpus: number }): void {
  checkMemory(host);
  checkCpu(host, machine.cpus);
}

function checkMemory(host: HostConfig): void {
  const { Memory: memory, MemorySwap: memorySwap, MemoryReservation: memoryReservation } = host;
  if (memory !== 0 && memory < leastMemory) {
    refuse("Minimum memory limit allowed is 6MB", "memory");
  }
  if (memory > 0 && memorySwap > 0 && memorySwap < memory) {
    refuse("Minimum memoryswap limit should be larger than memory limit, see usage");
  }
  if (memory === 0 && memorySwap > 0) {
    refuse("You should always set the Memory limit when using Memoryswap limit, see usage");
  }
  if (memoryReservation > 0 && memoryReservation < leastMemory) {
    refuse("Minimum memory reservation allowed is 6MB");
  }
  if (memory > 0 && memoryReservation > memory) {
    refuse("Minimum memory limit can not be less than memory reservation limit, see usage");
  }
}

function checkCpu(host: HostConfig, cpus: number): void {
  const { NanoCpus: nanoCpus, CpuPeriod: cpuPeriod, CpuQuota: cpuQuota } = host;
  if (nanoCpus > 0 && cpuPeriod > 0) {
    refuse("Conflicting options: Nano CPUs and CPU Period cannot both be set");
  }
  if (nanoCpus > 0 && cpuQuota > 0) {
    refuse("Conflicting options: Nano CPUs and CPU Quota cannot both be set");
  }
  if (nanoCpus < 0 || nanoCpus > cpus * 1e9 || (nanoCpus > 0 && nanoCpus < 1e7)) {
    refuse(`range of CPUs is from 0.01 to ${cpus}.00, as there are only ${cpus} CPUs available`);
  }
  if (host.CpuRealtimePeriod !== 0 && host.CpuRealtimeRuntime > host.CpuRealtimePeriod) {
    refuse("cpu real-time runtime cannot be higher than cpu real-time period");
  }
  checkList(host.CpusetCpus, "cpuset cpus", cpus);
  checkList(host.CpusetMems, "cpuset mems");
}

/** Lists as of cpuset(7): "0-3,7". */
function checkList(list: string, what: string, count?: number): void {
  if (list === "") return;
  const malformed = () =>
    refuse(`Invalid value ${list} for ${what}: invalid format: ${list}`, list);
  if (!/^\d{1,5}(-\d{1,5})?(,\d{1,5}(-\d{1,5})?)*$/.test(list)) malformed();
  for (const range of list.split(",")) {
    const [first, last] = range.split("-").map(Number);
    if (first !== undefined && last !== undefined && last < first) malformed();
    if (count !== undefined && Math.max(first ?? 0, last ?? 0) >= count) {
      refuse(
        `Requested CPUs are not available - requested ${list}, available: ${count === 1 ? "0" : `0-${count - 1}`}`,
        list,
      );
    }
  }
}
