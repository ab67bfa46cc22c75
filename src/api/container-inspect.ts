import type { BindMount, Container, HostConfig, NetworkAttachment } from "#engine";
import type {
  ContainerConfig,
  ContainerInspect,
  EndpointSettings,
  HostConfigInspect,
  MountPoint,
  NetworkSettings,
} from "#wire";
import { timeText } from "./time-text.ts";

/** A container as `docker inspect` shows it. */
export function inspectContainer(container: Container): ContainerInspect {
  const [path = "", ...rest] = container.argv;
  return {
    Id: container.id,
    Created: timeText(container.createdAt),
    Path: path,
    Args: rest,
    State: stateOf(container),
    Image: container.imageId,
    ResolvConfPath: container.paths.resolvConf,
    HostnamePath: container.paths.hostname,
    HostsPath: container.paths.hosts,
    LogPath: container.paths.log,
    Name: `/${container.name}`,
    RestartCount: container.restartCount,
    Driver: "overlay2",
    Platform: "linux",
    MountLabel: "",
    ProcessLabel: "",
    AppArmorProfile: "",
    ExecIDs: container.execIds.length > 0 ? container.execIds : null,
    HostConfig: hostConfigOf(container.host),
    GraphDriver: graphDriverOf(container),
    Mounts: mountPoints(container.host),
    Config: configOf(container),
    NetworkSettings: networkSettingsOf(container),
  };
}

function stateOf({ state }: Container): ContainerInspect["State"] {
  const { status } = state;
  return {
    Status: status,
    Running: status === "running" || status === "paused" || status === "restarting",
    Paused: status === "paused",
    Restarting: status === "restarting",
    OOMKilled: state.oomKilled,
    Dead: status === "dead",
    Pid: state.pid,
    ExitCode: state.exitCode,
    Error: state.error,
    StartedAt: timeText(state.startedAt),
    FinishedAt: timeText(state.finishedAt),
  };
}

/** The merged view exists in the container's own mount namespace only, so there is no MergedDir. */
function graphDriverOf({ id, paths }: Container): ContainerInspect["GraphDriver"] {
  return {
    Data: {
      ID: id,
      LowerDir: paths.lowerDirectories.join(":"),
      UpperDir: paths.upperDirectory,
      WorkDir: paths.workDirectory,
    },
    Name: "overlay2",
  };
}

/** Binds only: Docker does not list those of `--tmpfs` either. */
export function mountPoints(host: HostConfig): readonly MountPoint[] {
  return host.binds.map((bind) => ({
    Type: "bind",
    Source: bind.source,
    Destination: bind.target,
    Mode: modeOf(bind),
    RW: !bind.readonly,
    Propagation: bind.propagation ?? "rprivate",
  }));
}

function modeOf(bind: BindMount): string {
  return [bind.readonly ? "ro" : "", bind.propagation ?? ""]
    .filter((part) => part !== "")
    .join(",");
}

function keys(names: readonly string[]): Readonly<Record<string, object>> {
  return Object.fromEntries(names.map((name) => [name, {}]));
}

function configOf({ config }: Container): ContainerConfig {
  return {
    Hostname: config.hostname,
    Domainname: config.domainname,
    User: config.user,
    AttachStdin: config.attachStdin,
    AttachStdout: config.attachStdout,
    AttachStderr: config.attachStderr,
    ...(config.exposedPorts.length > 0 && { ExposedPorts: keys(config.exposedPorts) }),
    Tty: config.tty,
    OpenStdin: config.openStdin,
    StdinOnce: config.stdinOnce,
    Env: config.env,
    Cmd: config.cmd ?? null,
    Image: config.image,
    Volumes: config.volumes.length > 0 ? keys(config.volumes) : null,
    WorkingDir: config.workingDir,
    Entrypoint: config.entrypoint ?? null,
    OnBuild: null,
    Labels: config.labels,
    ...(config.stopSignal !== undefined && { StopSignal: config.stopSignal }),
    ...(config.stopTimeout !== undefined && { StopTimeout: config.stopTimeout }),
  };
}

/** The network under the name by which Docker lists it. */
function networkName(host: HostConfig): string {
  return host.networkMode === "default" || host.networkMode === "" ? "bridge" : host.networkMode;
}

function endpointOf(network: NetworkAttachment | undefined): EndpointSettings {
  return {
    IPAMConfig: null,
    Links: null,
    Aliases: null,
    MacAddress: network?.mac ?? "",
    DriverOpts: null,
    GwPriority: 0,
    NetworkID: network?.networkId ?? "",
    EndpointID: network?.endpointId ?? "",
    Gateway: network?.gateway ?? "",
    IPAddress: network?.address ?? "",
    IPPrefixLen: network?.prefixLength ?? 0,
    IPv6Gateway: "",
    GlobalIPv6Address: "",
    GlobalIPv6PrefixLen: 0,
    DNSNames: null,
  };
}

export function networksOf({
  host,
  network,
}: Container): Readonly<Record<string, EndpointSettings>> {
  const name = networkName(host);
  return name.startsWith("container:") ? {} : { [name]: endpointOf(network) };
}

function networkSettingsOf(container: Container): NetworkSettings {
  const first = networkName(container.host) === "bridge" ? container.network : undefined;
  return {
    Bridge: "",
    SandboxID: "",
    SandboxKey: "",
    Ports: {},
    HairpinMode: false,
    LinkLocalIPv6Address: "",
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    EndpointID: first?.endpointId ?? "",
    Gateway: first?.gateway ?? "",
    GlobalIPv6Address: "",
    GlobalIPv6PrefixLen: 0,
    IPAddress: first?.address ?? "",
    IPPrefixLen: first?.prefixLength ?? 0,
    IPv6Gateway: "",
    MacAddress: first?.mac ?? "",
    Networks: networksOf(container),
  };
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

function hostConfigOf(host: HostConfig): HostConfigInspect {
  const mounts = host.binds.filter((bind) => !bind.createSource);
  return {
    ...notYet,
    Binds: orNull(host.binds.filter((bind) => bind.createSource).map(bindText)),
    ContainerIDFile: "",
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

/** Keys that Docker always shows, of options that cannot be set yet. */
const notYet = {
  PortBindings: {},
  RestartPolicy: { Name: "no", MaximumRetryCount: 0 },
  VolumeDriver: "",
  VolumesFrom: null,
  ConsoleSize: [0, 0],
  Cgroup: "",
  Links: null,
  PublishAllPorts: false,
  UsernsMode: "",
  Isolation: "",
  BlkioWeight: 0,
  BlkioWeightDevice: [],
  BlkioDeviceReadBps: [],
  BlkioDeviceWriteBps: [],
  BlkioDeviceReadIOps: [],
  BlkioDeviceWriteIOps: [],
  CpuRealtimePeriod: 0,
  CpuRealtimeRuntime: 0,
  DeviceCgroupRules: null,
  DeviceRequests: null,
  CpuCount: 0,
  CpuPercent: 0,
  IOMaximumIOps: 0,
  IOMaximumBandwidth: 0,
} as const;

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
