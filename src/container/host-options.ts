import { Fault } from "#base";
import { capabilityMask, parseCgroupParent } from "#runtime";
import { ociBind } from "./bind-mount.ts";
import { blockWeight, blockWeights, throttle } from "./block-io.ts";
import { ociDevices, parseDevice } from "./device.ts";
import { deviceRequests } from "./device-request.ts";
import { parseDeviceRule } from "./device-rule.ts";
import { type Link, parseLink } from "./link.ts";
import { checkLogConfig } from "./log-config.ts";
import { mountShape, parseBind, parseMounts } from "./mounts.ts";
import { checkAddress, checkExtraHost, checkResolverWord } from "./name-service.ts";
import {
  flag,
  option,
  type SentOf,
  shapes,
  text,
  textMap,
  texts,
  unsupported,
  type ValuesOf,
  whole,
} from "./option.ts";
import { parsePortBindings, portBindingsSchema, shownBindings } from "./port-binding.ts";
import { parseSecurityOptions } from "./security-option.ts";
import { checkTmpfsOptions, ociTmpfs } from "./tmpfs-mount.ts";
import { ociRlimit } from "./ulimit.ts";
import { isVolumeMount, parseVolumesFrom } from "./volume-mount.ts";

const { list, object } = shapes;

const defaultShmSize = 64 << 20;

const orNull = <T>(values: readonly T[]): readonly T[] | null =>
  values.length > 0 ? values : null;
const orAbsent = <T extends object>(value: T): T | undefined =>
  Object.keys(value).length > 0 ? value : undefined;

function invalid(message: string, about: string): never {
  throw new Fault("invalid", message, { about });
}

/** A check that refuses modes which `pattern` does not match. */
const oneOf = (what: string, pattern: RegExp) => (mode: string) => {
  if (!pattern.test(mode)) invalid(`invalid ${what} mode: ${mode}`, mode);
};

/** Words that the engine acts on, each by itself; inspect shows the list as it was sent. */
const listed = (check: (word: string) => void) =>
  option<string[], readonly string[]>({
    shape: shapes.texts,
    value: (sent) => sent ?? [],
    check: (all) => all.forEach(check),
    effect: "engine",
    inspect: (_, sent) => sent ?? null,
  });

const namespaceMode = (mode: string) => (mode === "host" ? "host" : "new");

/** CapAdd or CapDrop: the names as written, and in `spelled` as the kernel's headers have them. */
function capabilities(member: "CapAdd" | "CapDrop", key: "capAdd" | "capDrop") {
  return option<string[], readonly string[]>({
    shape: shapes.texts,
    value: (sent) => (sent ?? []).map(capabilityName),
    check: (names) => checkCapabilities(member, names),
    effect: (draft, names) => {
      draft[key] = names;
    },
    inspect: (_, sent) => orNull(sent ?? []),
  });
}

/** "net_admin" and "CAP_NET_ADMIN" are the same; ALL stands for itself. */
function capabilityName(written: string): string {
  const name = written.toUpperCase();
  return name === "ALL" || name.startsWith("CAP_") ? name : `CAP_${name}`;
}

function checkCapabilities(member: string, names: readonly string[]): void {
  for (const name of names) {
    if (name === "ALL") continue;
    try {
      capabilityMask([name]);
    } catch (cause) {
      const message = `invalid ${member}: unknown capability: "${name}"`;
      throw new Fault("invalid", message, { about: name, cause });
    }
  }
}

/** MaskedPaths or ReadonlyPaths. Absent: Docker's own lists; a privileged container has none. */
function systemPaths(key: "maskedPaths" | "readonlyPaths") {
  return option<string[], readonly string[] | undefined>({
    shape: shapes.texts,
    value: (sent) => sent,
    effect: (draft, paths) => {
      if (paths) draft[key] ??= paths;
    },
    inspect: (paths) => paths ?? null,
  });
}

const runtimes = ["thimble", "runc", "io.containerd.runc.v2"];

const restartPolicies = ["no", "always", "on-failure", "unless-stopped", "unhealthy"];

function checkRestartPolicy({
  Name,
  MaximumRetryCount,
}: {
  Name: string;
  MaximumRetryCount: number;
}) {
  if (Name !== "" && !restartPolicies.includes(Name)) {
    const known = "use one of 'no', 'always', 'on-failure', 'unless-stopped', or 'unhealthy'";
    invalid(`invalid restart policy: unknown policy '${Name}'; ${known}`, Name);
  }
  const wrong = [
    ...(MaximumRetryCount !== 0 && Name !== "on-failure" && Name !== "unhealthy"
      ? ["can only be used with 'on-failure'"]
      : []),
    ...(MaximumRetryCount < 0 ? ["cannot be negative"] : []),
  ].join(" and ");
  if (wrong) invalid(`invalid restart policy: maximum retry count ${wrong}`, Name);
}

/**
 * HostConfig of Docker's API, field by field in the order in which inspect shows them.
 * An option that thimble lacks stands as `unsupported`: a request with it is refused, and
 * the error names it. Rules over several fields are in rules.ts and limits.ts.
 */
export const hostOptions = {
  Binds: option({
    shape: shapes.texts,
    value: (sent) => (sent ?? []).map(parseBind),
    effect: (draft, mounts, { owners }) => {
      for (const mount of mounts)
        if (!isVolumeMount(mount)) draft.mounts.push(ociBind(mount, owners?.get(mount.target)));
    },
    inspect: (_, sent) => orNull(sent ?? []),
  }),
  ContainerIDFile: text({ default: "", effect: "shown" }),
  LogConfig: option({
    shape: object({ Type: shapes.text, Config: shapes.textMap }),
    value: (sent) => ({ Type: sent?.Type || "json-file", Config: sent?.Config ?? {} }),
    check: checkLogConfig,
    effect: "engine",
  }),
  NetworkMode: option({
    shape: shapes.text,
    value: (sent) => sent || "default",
    check: (mode) => {
      if (mode === "container" || mode === "container:")
        invalid("invalid network mode: invalid container format container:<name|id>", mode);
    },
    effect: (draft, mode, { joined }) => {
      // The network module makes namespaces ahead, with what Docker sets in them.
      draft.namespaces.network = mode === "host" ? "host" : { path: joined.network };
    },
    // A container whose network is disabled shows the mode that it would have.
    inspect: (_, sent) => (!sent || sent === "default" ? "bridge" : sent),
  }),
  PortBindings: option({
    shape: portBindingsSchema,
    value: (sent) => parsePortBindings(sent ?? {}),
    effect: "engine",
    inspect: (_, sent) => (sent && shownBindings(sent)) || null,
  }),
  RestartPolicy: option({
    shape: object({ Name: shapes.text, MaximumRetryCount: shapes.whole }),
    value: (sent) => ({ Name: sent?.Name ?? "", MaximumRetryCount: sent?.MaximumRetryCount ?? 0 }),
    check: checkRestartPolicy,
    effect: "engine",
    inspect: ({ Name, MaximumRetryCount }) => ({ Name: Name || "no", MaximumRetryCount }),
  }),
  AutoRemove: flag({ default: false, effect: "engine" }),
  /** Of volumes that are made for the container and name no driver themselves. */
  VolumeDriver: text({ default: "", effect: "engine" }),
  VolumesFrom: option({
    shape: shapes.texts,
    value: (sent) => (sent ?? []).map(parseVolumesFrom),
    effect: "engine",
    inspect: (_, sent) => orNull(sent ?? []),
  }),
  ConsoleSize: option({
    shape: list(shapes.unsigned),
    value: ([rows = 0, columns = 0]: readonly number[] = []) =>
      rows > 0 && columns > 0 ? { rows, columns } : undefined,
    effect: "engine",
    inspect: (_, sent = []) => [sent[0] ?? 0, sent[1] ?? 0],
  }),
  Annotations: option({
    shape: shapes.textMap,
    value: (sent) => sent ?? {},
    check: (annotations) => {
      if ("" in annotations)
        invalid(
          "invalid Annotations: the empty string is not permitted as an annotation key",
          "Annotations",
        );
    },
    effect: "shown",
    inspect: (annotations) => (Object.keys(annotations).length === 0 ? undefined : annotations),
  }),
  CapAdd: capabilities("CapAdd", "capAdd"),
  CapDrop: capabilities("CapDrop", "capDrop"),
  CgroupnsMode: text({
    default: "",
    check: (mode) => {
      if (!/^(|private|host)$/.test(mode)) invalid(`invalid cgroup namespace mode: ${mode}`, mode);
    },
    effect: (draft, mode) => {
      if (mode !== "") draft.namespaces.cgroup = mode === "host" ? "host" : "new";
    },
  }),
  Dns: listed(checkAddress),
  DnsOptions: listed(checkResolverWord),
  DnsSearch: listed(checkResolverWord),
  ExtraHosts: texts({
    default: [],
    check: (all) => all.forEach(checkExtraHost),
    effect: "engine",
    inspect: orNull,
  }),
  /** Names and numbers; the engine looks them up in the container's files. */
  GroupAdd: texts({ default: [], effect: "engine", inspect: orNull }),
  IpcMode: option({
    shape: shapes.text,
    value: (sent) => sent || "private",
    check: oneOf("IPC", /^(private|shareable|none|host|container:.+)$/),
    effect: (draft, mode, run) => {
      draft.namespaces.ipc = mode.startsWith("container:")
        ? { path: run.joined.ipc }
        : namespaceMode(mode);
      if (mode === "none") draft.shmSize = 0;
      if (run.shmSource !== undefined) draft.shmSource = run.shmSource;
    },
  }),
  Cgroup: unsupported("another container's cgroup (Cgroup)", { shape: shapes.text, zero: "" }),
  Links: option<string[], readonly Link[]>({
    shape: shapes.texts,
    value: (sent) => (sent ?? []).map(parseLink),
    effect: "engine",
    inspect: (links) => orNull(links.map(({ name, alias }) => `${name}:${alias}`)),
  }),
  OomScoreAdj: whole({
    default: 0,
    check: (value) => {
      if (value < -1000 || value > 1000)
        invalid(`Invalid value ${value}, range for oom score adj is [-1000, 1000]`, `${value}`);
    },
    effect: (draft, value) => {
      draft.oomScoreAdj = value;
    },
  }),
  PidMode: text({
    default: "",
    check: oneOf("PID", /^(|host|container:.+)$/),
    effect: (draft, mode, { joined }) => {
      draft.namespaces.pid = mode.startsWith("container:")
        ? { path: joined.pid }
        : namespaceMode(mode);
    },
  }),
  Privileged: flag({
    default: false,
    effect: (draft, isPrivileged) => {
      draft.privileged = isPrivileged;
    },
  }),
  PublishAllPorts: flag({ default: false, effect: "engine" }),
  /** thimble's own: published ports pass by the host's firewall. */
  PublishThrough: flag({
    default: false,
    effect: "engine",
    inspect: (isThrough) => (isThrough ? true : undefined),
  }),
  ReadonlyRootfs: flag({
    default: false,
    effect: (draft, isReadonly) => {
      draft.readonlyRoot = isReadonly;
    },
  }),
  SecurityOpt: texts({
    default: [],
    check: parseSecurityOptions,
    effect: (draft, options) => {
      const { noNewPrivileges, seccomp, showsSystemPaths } = parseSecurityOptions(options);
      draft.noNewPrivileges = noNewPrivileges;
      if (seccomp) draft.seccomp = seccomp;
      if (showsSystemPaths) draft.maskedPaths = draft.readonlyPaths = [];
    },
    inspect: orNull,
  }),
  StorageOpt: option({
    shape: shapes.textMap,
    value: (sent) => sent ?? {},
    effect: "engine",
    inspect: (_, sent) => orAbsent(sent ?? {}),
  }),
  Tmpfs: option({
    shape: shapes.textMap,
    value: (sent) => Object.entries(sent ?? {}).map(([target, options]) => ({ target, options })),
    check: (all) => {
      for (const { options } of all) checkTmpfsOptions(options);
    },
    effect: (draft, all) => {
      draft.mounts.push(...all.map(ociTmpfs));
    },
    inspect: (_, sent) => orAbsent(sent ?? {}),
  }),
  UTSMode: text({
    default: "",
    check: oneOf("UTS", /^(|host)$/),
    effect: (draft, mode) => {
      draft.namespaces.uts = namespaceMode(mode);
    },
  }),
  UsernsMode: option({
    shape: shapes.text,
    value: (sent) => sent ?? "",
    refusal: (sent) =>
      sent === "" || sent === "host"
        ? []
        : [`the user namespace mode ${JSON.stringify(sent)} (UsernsMode)`],
    effect: "shown",
  }),
  ShmSize: option({
    shape: shapes.whole,
    value: (sent) => sent || defaultShmSize,
    check: (bytes) => {
      if (bytes < 0) invalid("SHM size can not be less than 0", `${bytes}`);
    },
    effect: (draft, bytes) => {
      // With the IPC mode "none" nothing is mounted, whatever the size.
      draft.shmSize ??= bytes;
    },
  }),
  Sysctls: textMap({
    default: {},
    effect: (draft, values) => {
      draft.sysctls = values;
    },
    inspect: orAbsent,
  }),
  /** There is one runtime, which also answers to the names that Docker's has. */
  Runtime: option({
    shape: shapes.text,
    value: (sent) => sent || "thimble",
    check: (name) => {
      if (!runtimes.includes(name)) invalid(`unknown or invalid runtime name: ${name}`, name);
    },
    effect: "shown",
  }),
  Isolation: option({
    shape: shapes.text,
    value: (sent) => sent ?? "",
    check: (isolation) => {
      if (!["", "default", "process"].includes(isolation.toLowerCase()))
        invalid(`invalid isolation (${isolation}): linux only supports 'default'`, isolation);
    },
    effect: "shown",
  }),
  CpuShares: whole({
    default: 0,
    check: (shares) => {
      if (shares < 0)
        invalid(`invalid CPU shares (${shares}): value must be a positive integer`, `${shares}`);
    },
    effect: (draft, shares) => {
      if (shares > 0) draft.resources.cpu.shares = shares;
    },
  }),
  Memory: whole({
    default: 0,
    effect: (draft, bytes) => {
      if (bytes > 0) draft.resources.memory.limit = bytes;
    },
  }),
  NanoCpus: whole({
    default: 0,
    effect: (draft, billionths) => {
      if (billionths <= 0) return;
      draft.resources.cpu.period = 100_000;
      draft.resources.cpu.quota = Math.max(1000, Math.round(billionths / 10_000));
    },
  }),
  CgroupParent: text({
    default: "",
    check: (parent) => void (parent === "" || parseCgroupParent(parent)),
    effect: "engine",
  }),
  BlkioWeight: blockWeight,
  BlkioWeightDevice: blockWeights,
  BlkioDeviceReadBps: throttle("throttleReadBpsDevice"),
  BlkioDeviceWriteBps: throttle("throttleWriteBpsDevice"),
  BlkioDeviceReadIOps: throttle("throttleReadIOPSDevice"),
  BlkioDeviceWriteIOps: throttle("throttleWriteIOPSDevice"),
  CpuPeriod: whole({
    default: 0,
    check: (period) => {
      if (period !== 0 && (period < 1000 || period > 1_000_000))
        invalid(
          "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)",
          `${period}`,
        );
    },
    effect: (draft, period) => {
      if (period > 0) draft.resources.cpu.period = period;
    },
  }),
  CpuQuota: whole({
    default: 0,
    check: (quota) => {
      if (quota > 0 && quota < 1000)
        invalid("CPU cfs quota can not be less than 1ms (i.e. 1000)", `${quota}`);
    },
    effect: (draft, quota) => {
      if (quota > 0) draft.resources.cpu.quota = quota;
    },
  }),
  /** Microseconds, of which `CpuRealtimeRuntime` may go to processes with a real-time priority. */
  CpuRealtimePeriod: whole({
    default: 0,
    effect: (draft, period) => {
      if (period !== 0) draft.resources.cpu.realtimePeriod = period;
    },
  }),
  CpuRealtimeRuntime: whole({
    default: 0,
    effect: (draft, runtime) => {
      if (runtime !== 0) draft.resources.cpu.realtimeRuntime = runtime;
    },
  }),
  CpusetCpus: text({
    default: "",
    effect: (draft, cpus) => {
      if (cpus !== "") draft.resources.cpu.cpus = cpus;
    },
  }),
  CpusetMems: text({
    default: "",
    effect: (draft, nodes) => {
      if (nodes !== "") draft.resources.cpu.mems = nodes;
    },
  }),
  Devices: option({
    shape: list(
      object({
        PathOnHost: shapes.text,
        PathInContainer: shapes.text,
        CgroupPermissions: shapes.text,
      }),
    ),
    value: (sent) => (sent ?? []).map(parseDevice),
    effect: (draft, devices) => {
      for (const { device, rule } of devices.flatMap(ociDevices)) {
        draft.devices.push(device);
        draft.deviceRules.push(rule);
      }
    },
    inspect: (devices, sent) =>
      sent
        ? devices.map(({ source, target, permissions }) => ({
            PathOnHost: source,
            PathInContainer: target,
            CgroupPermissions: permissions,
          }))
        : null,
  }),
  DeviceCgroupRules: option({
    shape: shapes.texts,
    value: (sent) => (sent ?? []).flatMap(parseDeviceRule),
    effect: (draft, rules) => {
      draft.deviceRules.push(...rules);
    },
    inspect: (_, sent) => sent ?? null,
  }),
  DeviceRequests: deviceRequests,
  KernelMemory: unsupported("limits of kernel memory (KernelMemory)", {
    shape: shapes.whole,
    zero: undefined,
  }),
  KernelMemoryTCP: unsupported("limits of kernel memory (KernelMemoryTCP)", {
    shape: shapes.whole,
    zero: undefined,
  }),
  MemoryReservation: whole({
    default: 0,
    effect: (draft, bytes) => {
      if (bytes > 0) draft.resources.memory.reservation = bytes;
    },
  }),
  /** Memory and swap together; -1: swap is not limited. */
  MemorySwap: whole({
    default: 0,
    effect: (draft, bytes) => {
      if (bytes !== 0 && draft.resources.memory.limit)
        draft.resources.memory.swap = Math.max(bytes, -1);
    },
  }),
  MemorySwappiness: option({
    shape: shapes.whole,
    value: (sent) => sent ?? -1,
    check: (value) => {
      if (value < -1 || value > 100)
        invalid(`Invalid value: ${value}, valid memory swappiness range is 0-100`, `${value}`);
    },
    effect: (draft, value) => {
      if (value >= 0) draft.resources.memory.swappiness = value;
    },
    inspect: (value) => (value < 0 ? null : value),
  }),
  OomKillDisable: flag({
    default: false,
    effect: (draft, isDisabled) => {
      if (isDisabled) draft.resources.memory.disableOOMKiller = true;
    },
  }),
  /** 0 or below: not limited. */
  PidsLimit: whole({
    default: 0,
    effect: (draft, limit) => {
      if (limit > 0) draft.resources.pids = { limit };
    },
    inspect: (limit) => (limit > 0 ? limit : null),
  }),
  Ulimits: option({
    shape: list(object({ Name: shapes.text, Hard: shapes.whole, Soft: shapes.whole })),
    value: (sent) =>
      (sent ?? []).map(({ Name, Soft, Hard }) => ({
        Name: Name ?? "",
        Hard: Hard ?? 0,
        Soft: Soft ?? 0,
      })),
    check: (limits) => void limits.map(ociRlimit),
    effect: (draft, limits) => {
      draft.rlimits = limits.map(ociRlimit);
    },
    inspect: (limits, sent) => (sent ? limits : null),
  }),
  CpuCount: unsupported("Windows' CPU limits (CpuCount)", { shape: shapes.whole, zero: 0 }),
  CpuPercent: unsupported("Windows' CPU limits (CpuPercent)", { shape: shapes.whole, zero: 0 }),
  IOMaximumIOps: unsupported("Windows' I/O limits (IOMaximumIOps)", {
    shape: shapes.whole,
    zero: 0,
  }),
  IOMaximumBandwidth: unsupported("Windows' I/O limits (IOMaximumBandwidth)", {
    shape: shapes.whole,
    zero: 0,
  }),
  Mounts: option({
    shape: list(mountShape),
    value: (sent) => parseMounts(sent ?? []),
    effect: (draft, { binds, tmpfs }, { volumes = [], owners }) => {
      const bound = binds.map((bind) => ociBind(bind, owners?.get(bind.target)));
      draft.mounts.push(...tmpfs.map(ociTmpfs), ...bound, ...volumes);
    },
    inspect: (_, sent) => (sent && sent.length > 0 ? sent : undefined),
  }),
  MaskedPaths: systemPaths("maskedPaths"),
  ReadonlyPaths: systemPaths("readonlyPaths"),
  /** Run a reaper as process 1. */
  Init: option({
    shape: shapes.flag,
    value: (sent) => sent ?? false,
    effect: "engine",
    inspect: (_, sent) => sent,
  }),
} as const;

/** HostConfig with defaults filled in, each field in the form in which the engine works with it. */
export type HostConfig = ValuesOf<typeof hostOptions>;

/** HostConfig as a client sends it. */
export type HostConfigBody = SentOf<typeof hostOptions>;
