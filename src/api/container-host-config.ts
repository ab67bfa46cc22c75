import type { BindMount, HostConfig } from "#engine";
import type { HostConfigInspect } from "#wire";

/** The network under the name by which Docker lists it. */
export function networkName(host: HostConfig): string {
  return host.networkMode === "default" || host.networkMode === "" ? "bridge" : host.networkMode;
}

/** The options of a bind as they stand after its second colon. */
export function modeOf(bind: BindMount): string {
  return [bind.readonly ? "ro" : "", bind.propagation ?? ""]
    .filter((part) => part !== "")
    .join(",");
}

const orNull = <T>(list: readonly T[]): readonly T[] | null => (list.length > 0 ? list : null);

function bindText(bind: BindMount): string {
  const mode = modeOf(bind);
  return `${bind.source}:${bind.target}${mode ? `:${mode}` : ""}`;
}

function mountOf(bind: BindMount): object {
  return {
    Type: "bind",
    Source: bind.source,
    Target: bind.target,
    ...(bind.readonly && { ReadOnly: true }),
    ...((bind.propagation || !bind.recursive) && {
      BindOptions: {
        ...(bind.propagation && { Propagation: bind.propagation }),
        ...(!bind.recursive && { NonRecursive: true }),
      },
    }),
  };
}

/** HostConfig as `docker inspect` shows it. */
export function hostConfigOf(host: HostConfig): HostConfigInspect {
  const mounts = host.binds.filter((bind) => !bind.createSource);
  return {
    ...allKeys,
    Binds: orNull(host.binds.filter((bind) => bind.createSource).map(bindText)),
    LogConfig: { Type: host.logDriver, Config: host.logOptions },
    NetworkMode: networkName(host),
    AutoRemove: host.autoRemove,
    CapAdd: orNull(host.capAdd),
    CapDrop: orNull(host.capDrop),
    CgroupnsMode: host.cgroupnsMode || "private",
    Dns: host.dns,
    DnsOptions: host.dnsOptions,
    DnsSearch: host.dnsSearch,
    ExtraHosts: orNull(host.extraHosts),
    GroupAdd: orNull(host.groupAdd),
    IpcMode: host.ipcMode || "private",
    OomScoreAdj: host.oomScoreAdj,
    PidMode: host.pidMode,
    Privileged: host.privileged,
    ReadonlyRootfs: host.readonlyRootfs,
    SecurityOpt: orNull(host.securityOpt),
    ...(host.tmpfs.length > 0 && {
      Tmpfs: Object.fromEntries(host.tmpfs.map(({ target, options }) => [target, options])),
    }),
    UTSMode: host.utsMode,
    ShmSize: host.shmSize,
    ConsoleSize: [host.consoleSize?.rows ?? 0, host.consoleSize?.columns ?? 0],
    ...(Object.keys(host.sysctls).length > 0 && { Sysctls: host.sysctls }),
    Runtime: "thimble",
    ...resourcesOf(host),
    ...(host.init && { Init: true }),
    ...(mounts.length > 0 && { Mounts: mounts.map(mountOf) }),
    MaskedPaths: host.maskedPaths ?? (host.privileged ? null : defaultMaskedPaths),
    ReadonlyPaths: host.readonlyPaths ?? (host.privileged ? null : defaultReadonlyPaths),
  };
}

function resourcesOf(
  host: HostConfig,
): Readonly<Record<string, unknown>> & Pick<HostConfigInspect, "Memory" | "NanoCpus"> {
  return {
    CpuShares: host.cpuShares,
    Memory: host.memory,
    NanoCpus: host.nanoCpus,
    CgroupParent: host.cgroupParent,
    CpuPeriod: host.cpuPeriod,
    CpuQuota: host.cpuQuota,
    CpusetCpus: host.cpusetCpus,
    CpusetMems: host.cpusetMems,
    Devices: host.devices.map(({ source, target, permissions }) => ({
      PathOnHost: source,
      PathInContainer: target,
      CgroupPermissions: permissions,
    })),
    MemoryReservation: host.memoryReservation,
    MemorySwap: host.memorySwap,
    MemorySwappiness: host.memorySwappiness ?? null,
    OomKillDisable: host.oomKillDisable,
    PidsLimit: host.pidsLimit > 0 ? host.pidsLimit : null,
    Ulimits: host.ulimits.map(({ name, soft, hard }) => ({ Name: name, Hard: hard, Soft: soft })),
  };
}

/**
 * Every key that Docker shows, in its order. Those of options that cannot be set yet
 * keep these values, which are the zero values.
 */
const allKeys = {
  Binds: null,
  ContainerIDFile: "",
  LogConfig: null,
  NetworkMode: null,
  PortBindings: {},
  RestartPolicy: { Name: "no", MaximumRetryCount: 0 },
  AutoRemove: null,
  VolumeDriver: "",
  VolumesFrom: null,
  ConsoleSize: [0, 0],
  CapAdd: null,
  CapDrop: null,
  CgroupnsMode: null,
  Dns: null,
  DnsOptions: null,
  DnsSearch: null,
  ExtraHosts: null,
  GroupAdd: null,
  IpcMode: null,
  Cgroup: "",
  Links: null,
  OomScoreAdj: null,
  PidMode: null,
  Privileged: null,
  PublishAllPorts: false,
  ReadonlyRootfs: null,
  SecurityOpt: null,
  UTSMode: null,
  UsernsMode: "",
  ShmSize: null,
  Runtime: null,
  Isolation: "",
  CpuShares: null,
  Memory: null,
  NanoCpus: null,
  CgroupParent: null,
  BlkioWeight: 0,
  BlkioWeightDevice: [],
  BlkioDeviceReadBps: [],
  BlkioDeviceWriteBps: [],
  BlkioDeviceReadIOps: [],
  BlkioDeviceWriteIOps: [],
  CpuPeriod: null,
  CpuQuota: null,
  CpuRealtimePeriod: 0,
  CpuRealtimeRuntime: 0,
  CpusetCpus: null,
  CpusetMems: null,
  Devices: null,
  DeviceCgroupRules: null,
  DeviceRequests: null,
  MemoryReservation: null,
  MemorySwap: null,
  MemorySwappiness: null,
  OomKillDisable: null,
  PidsLimit: null,
  Ulimits: null,
  CpuCount: 0,
  CpuPercent: 0,
  IOMaximumIOps: 0,
  IOMaximumBandwidth: 0,
  MaskedPaths: null,
  ReadonlyPaths: null,
};

const defaultMaskedPaths = [
  "/proc/asound",
  "/proc/acpi",
  "/proc/interrupts",
  "/proc/kcore",
  "/proc/keys",
  "/proc/latency_stats",
  "/proc/timer_list",
  "/proc/timer_stats",
  "/proc/sched_debug",
  "/proc/scsi",
  "/sys/firmware",
  "/sys/devices/virtual/powercap",
];

const defaultReadonlyPaths = [
  "/proc/bus",
  "/proc/fs",
  "/proc/irq",
  "/proc/sys",
  "/proc/sysrq-trigger",
];
