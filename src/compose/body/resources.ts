import { Fault } from "#base";
import type { HostConfigBody } from "#container";
import { isMapping, type Mapping } from "#yaml";
import { itemsAt, mappingAt, numberAt, pairsAt, textAt, textsAt } from "../project/fields.ts";

/** A number where it is not zero, which stands for nothing. */
const some = (value: number) => (value === 0 ? undefined : value);

/** What a container may use of the machine: limits, devices, weights. */
export function resourcesOf(service: Mapping): HostConfigBody {
  const resources = mappingAt(mappingAt(service, "deploy"), "resources");
  const [limits, reservations] = [
    mappingAt(resources, "limits"),
    mappingAt(resources, "reservations"),
  ];
  const own = (key: string) => some(numberAt(service, key));
  const cpus = some(numberAt(limits, "cpus")) ?? own("cpus");
  return {
    CgroupParent: textAt(service, "cgroup_parent"),
    Memory: some(numberAt(limits, "memory")) ?? own("mem_limit"),
    MemorySwap: own("memswap_limit"),
    MemorySwappiness: own("mem_swappiness"),
    MemoryReservation: some(numberAt(reservations, "memory")) ?? own("mem_reservation"),
    OomKillDisable: service.get("oom_kill_disable") === true,
    CpuCount: own("cpu_count"),
    CpuPercent: own("cpu_percent"),
    CpuPeriod: own("cpu_period"),
    CpuQuota: own("cpu_quota"),
    CpuRealtimePeriod: own("cpu_rt_period"),
    CpuRealtimeRuntime: own("cpu_rt_runtime"),
    CpuShares: own("cpu_shares"),
    NanoCpus: cpus === undefined ? undefined : Math.round(cpus * 1e9),
    CpusetCpus: textAt(service, "cpuset"),
    PidsLimit: some(numberAt(limits, "pids")) ?? own("pids_limit"),
    DeviceCgroupRules: mutable(textsAt(service, "device_cgroup_rules")),
    Devices: devices(service, false).map((device) => ({
      PathOnHost: textAt(device, "source"),
      PathInContainer: textAt(device, "target"),
      CgroupPermissions: textAt(device, "permissions"),
    })),
    DeviceRequests: deviceRequests(service, reservations),
    Ulimits: [...mappingAt(service, "ulimits")].map(([Name, limit]) => ulimit(Name, limit)),
    ...blockIo(mappingAt(service, "blkio_config")),
  };
}

/** Lists of the API are arrays that may be changed. */
export const mutable = (texts: readonly string[] | undefined) => texts && [...texts];

function ulimit(Name: string, limit: unknown) {
  if (!isMapping(limit as Mapping)) return { Name, Soft: Number(limit), Hard: Number(limit) };
  const parts = limit as Mapping;
  return { Name, Soft: numberAt(parts, "soft"), Hard: numberAt(parts, "hard") };
}

/** Whether a device is named as the Container Device Interface does: vendor/class=name. */
const isCdi = (name: string) => /^[A-Za-z][\w.-]*\/[A-Za-z][\w-]*=[\w.:-]+$/.test(name);

function devices(service: Mapping, cdi: boolean): readonly Mapping[] {
  return itemsAt(service, "devices").filter((device) => {
    const source = textAt(device, "source");
    return (source === textAt(device, "target") && isCdi(source)) === cdi;
  });
}

function deviceRequests(service: Mapping, reservations: Mapping) {
  const request = (device: Mapping, capabilities: readonly string[]) => ({
    Driver: textAt(device, "driver"),
    Count: numberAt(device, "count"),
    DeviceIDs: mutable(textsAt(device, "device_ids")),
    Capabilities: [[...(textsAt(device, "capabilities") ?? []), ...capabilities]],
    Options: pairsAt(device, "options"),
  });
  const names = devices(service, true).map((device) => textAt(device, "source"));
  return [
    ...itemsAt(reservations, "devices").map((device) => request(device, [])),
    ...(names.length > 0 ? [{ Driver: "cdi", DeviceIDs: names }] : []),
    ...itemsAt(service, "gpus").map((device) => request(device, ["gpu"])),
  ];
}

function blockIo(block: Mapping): HostConfigBody {
  const throttle = (key: string) =>
    itemsAt(block, key).map((one) => ({ Path: textAt(one, "path"), Rate: numberAt(one, "rate") }));
  return {
    BlkioWeight: some(numberAt(block, "weight")),
    BlkioWeightDevice: itemsAt(block, "weight_device").map((one) => ({
      Path: textAt(one, "path"),
      Weight: numberAt(one, "weight"),
    })),
    BlkioDeviceReadBps: throttle("device_read_bps"),
    BlkioDeviceWriteBps: throttle("device_write_bps"),
    BlkioDeviceReadIOps: throttle("device_read_iops"),
    BlkioDeviceWriteIOps: throttle("device_write_iops"),
  };
}

const policies: Readonly<Record<string, string>> = { none: "no", any: "always" };

/** When a container is started again; what "deploy" says goes before "restart". */
export function restartPolicyOf(service: Mapping): HostConfigBody["RestartPolicy"] {
  const policy = mappingAt(service, "deploy").get("restart_policy");
  const [name = "", attempts = "0"] = isMapping(policy)
    ? [textAt(policy, "condition"), textAt(policy, "max_attempts") || "0"]
    : textAt(service, "restart").split(":");
  if (!/^\d+$/.test(attempts)) {
    const written = textAt(service, "restart");
    throw new Fault("invalid", `restart "${written}" does not name a number of attempts`);
  }
  return { Name: policies[name] ?? name, MaximumRetryCount: Number(attempts) };
}
