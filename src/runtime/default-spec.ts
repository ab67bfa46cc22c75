import { defined } from "#base";
import { chooseCapabilities } from "./capability.ts";
import { defaultDeviceRules, privilegedDeviceRules } from "./device.ts";
import type { Machine } from "./machine.ts";
import type { OciDeviceRule, OciResources } from "./oci-resources.ts";
import type {
  OciDevice,
  OciMount,
  OciNamespace,
  OciNamespaceType,
  OciRlimit,
  OciSpec,
} from "./oci-spec.ts";
import { clampLimit } from "./rlimit.ts";
import { defaultSeccompProfile } from "./seccomp/default-profile.ts";
import { resolveSeccomp, type SeccompProfile } from "./seccomp/profile.ts";

/** A namespace made new, shared with the host, or the one behind a path. */
export type NamespaceMode = "new" | "host" | { readonly path: string };

/** A container in the words of the runtime, with Docker's defaults for whatever is absent. */
export interface SpecOptions {
  readonly argv: readonly string[];
  readonly env: readonly string[];
  /** "" is "/". */
  readonly cwd: string;
  readonly user: {
    readonly uid: number;
    readonly gid: number;
    readonly additionalGids: readonly number[];
  };
  readonly terminal: boolean;
  /** Ignored unless the uts namespace is new. */
  readonly hostname?: string;
  readonly domainname?: string;
  readonly readonlyRoot?: boolean;
  readonly privileged?: boolean;
  readonly capAdd?: readonly string[];
  readonly capDrop?: readonly string[];
  readonly noNewPrivileges?: boolean;
  /** Absent: Docker's default profile; a privileged container is then unconfined. */
  readonly seccomp?: SeccompProfile | "unconfined";
  /** A kind that is absent is new; `cgroup` is then new on v2 and the host's on v1, as in Docker. */
  readonly namespaces?: Partial<
    Record<Exclude<OciNamespaceType, "mount" | "user" | "time">, NamespaceMode>
  >;
  /** Bytes of /dev/shm; 64 MiB when absent; with 0 the container has no /dev/shm. */
  readonly shmSize?: number;
  /** Absolute host directory to use as /dev/shm in place of a tmpfs: the host's own or another container's. */
  readonly shmSource?: string;
  /** After the defaults, fewest path components first; one on a default's target replaces that default. */
  readonly mounts?: readonly OciMount[];
  readonly devices?: readonly OciDevice[];
  /** Added to the default device rules. */
  readonly deviceRules?: readonly OciDeviceRule[];
  /** `readHostDevices()`, for a privileged container. */
  readonly hostDevices?: readonly OciDevice[];
  readonly rlimits?: readonly OciRlimit[];
  readonly oomScoreAdj?: number;
  /** Replace Docker's two defaults of the network namespace where they name the same. */
  readonly sysctls?: Readonly<Record<string, string>>;
  readonly maskedPaths?: readonly string[];
  readonly readonlyPaths?: readonly string[];
  readonly resources?: Omit<OciResources, "devices">;
  readonly machine: Machine;
}

/** Docker 28's; paths that do not exist are passed over when they are masked. */
export const defaultMaskedPaths: readonly string[] = [
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

export const defaultReadonlyPaths: readonly string[] = [
  "/proc/bus",
  "/proc/fs",
  "/proc/irq",
  "/proc/sys",
  "/proc/sysrq-trigger",
];

/**
 * systemd's defaults for services, which Docker's packages use since version 25; cut to the
 * machine's limits.
 */
const openFiles: OciRlimit = { type: "RLIMIT_NOFILE", soft: 1024, hard: 524_288 };

const defaultShmSize = 64 * 1024 * 1024;

/**
 * The OCI configuration of a Docker container. Pure: all facts about the host are in the options.
 * Names in `capAdd` that the machine lacks are `invalid`; a default or privileged set is cut to what
 * the machine has.
 */
export function defaultSpec(options: SpecOptions): OciSpec {
  const { machine, privileged = false, user } = options;
  const names = chooseCapabilities({
    privileged,
    add: options.capAdd ?? [],
    drop: options.capDrop ?? [],
    available: machine.capabilities,
  });
  const namespaces = chooseNamespaces(options);
  const ownUts = modeOf(options, "uts") === "new";
  const seccomp = chooseSeccomp(options, names);
  return {
    ociVersion: "1.2.1",
    ...(ownUts && options.hostname !== undefined && { hostname: options.hostname }),
    ...(ownUts && options.domainname && { domainname: options.domainname }),
    root: { path: "", readonly: options.readonlyRoot ?? false },
    mounts: combineMounts(defaultMounts(options), options.mounts ?? []),
    process: {
      terminal: options.terminal,
      user,
      args: options.argv,
      env: options.env,
      cwd: options.cwd || "/",
      // The sets that execve would leave a user other than root; the bounding set stays for setuid
      // programs.
      capabilities:
        user.uid === 0
          ? { bounding: names, effective: names, permitted: names }
          : { bounding: names },
      rlimits: withDefaultLimit(options.rlimits ?? [], machine),
      noNewPrivileges: options.noNewPrivileges ?? false,
      oomScoreAdj: options.oomScoreAdj ?? 0,
    },
    linux: {
      namespaces,
      devices: [...(privileged ? (options.hostDevices ?? []) : []), ...(options.devices ?? [])],
      resources: {
        ...options.resources,
        devices: privileged
          ? privilegedDeviceRules
          : [...defaultDeviceRules, ...(options.deviceRules ?? [])],
      },
      sysctl: chooseSysctls(options),
      maskedPaths: privileged ? [] : (options.maskedPaths ?? defaultMaskedPaths),
      readonlyPaths: privileged ? [] : (options.readonlyPaths ?? defaultReadonlyPaths),
      ...defined({ seccomp }),
    },
  };
}

function modeOf(
  options: SpecOptions,
  type: keyof NonNullable<SpecOptions["namespaces"]>,
): NamespaceMode {
  const chosen = options.namespaces?.[type];
  if (chosen) return chosen;
  return type === "cgroup" && options.machine.cgroupVersion === 1 ? "host" : "new";
}

function chooseNamespaces(options: SpecOptions): readonly OciNamespace[] {
  const types = ["network", "uts", "pid", "ipc", "cgroup"] as const;
  const wanted = types.flatMap((type): readonly OciNamespace[] => {
    const mode = modeOf(options, type);
    if (mode === "host") return [];
    return [{ type, ...(mode !== "new" && { path: mode.path }) }];
  });
  return [{ type: "mount" }, ...wanted];
}

function chooseSeccomp(options: SpecOptions, capabilities: readonly string[]) {
  if (options.seccomp === "unconfined") return undefined;
  if (!options.seccomp && options.privileged) return undefined;
  return resolveSeccomp(options.seccomp ?? defaultSeccompProfile, { capabilities });
}

function chooseSysctls(options: SpecOptions): Readonly<Record<string, string>> {
  if (modeOf(options, "network") !== "new") return options.sysctls ?? {};
  return {
    "net.ipv4.ip_unprivileged_port_start": "0",
    "net.ipv4.ping_group_range": "0 2147483647",
    ...options.sysctls,
  };
}

function withDefaultLimit(limits: readonly OciRlimit[], machine: Machine): readonly OciRlimit[] {
  if (limits.some((limit) => limit.type === openFiles.type)) return limits;
  return [...limits, clampLimit(openFiles, machine)];
}

function defaultMounts(options: SpecOptions): readonly OciMount[] {
  const guarded = ["nosuid", "noexec", "nodev"];
  const access = options.privileged ? [] : ["ro"];
  return [
    { destination: "/proc", type: "proc", source: "proc", options: guarded },
    {
      destination: "/dev",
      type: "tmpfs",
      source: "tmpfs",
      options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
    },
    {
      destination: "/dev/pts",
      type: "devpts",
      source: "devpts",
      options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
    },
    { destination: "/sys", type: "sysfs", source: "sysfs", options: [...guarded, ...access] },
    {
      destination: "/sys/fs/cgroup",
      type: "cgroup",
      source: "cgroup",
      options: [...guarded, ...access],
    },
    { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: guarded },
    ...sharedMemory(options, guarded),
  ];
}

function sharedMemory(options: SpecOptions, guarded: readonly string[]): readonly OciMount[] {
  const destination = "/dev/shm";
  const { shmSource, shmSize = defaultShmSize } = options;
  if (shmSource)
    return [{ destination, type: "bind", source: shmSource, options: ["rbind", "rprivate"] }];
  if (shmSize === 0) return [];
  const sized = ["mode=1777", `size=${shmSize}`];
  return [{ destination, type: "tmpfs", source: "shm", options: [...guarded, ...sized] }];
}

/** A mount on /dev hides the defaults below it as well, as in Docker. */
function combineMounts(
  defaults: readonly OciMount[],
  own: readonly OciMount[],
): readonly OciMount[] {
  const targets = new Set(own.map((mount) => mount.destination.replace(/(.)\/+$/, "$1")));
  const kept = defaults.filter(
    ({ destination }) =>
      !targets.has(destination) && !(targets.has("/dev") && destination.startsWith("/dev/")),
  );
  const depth = ({ destination }: OciMount) => destination.split("/").filter(Boolean).length;
  return [...kept, ...own.toSorted((a, b) => depth(a) - depth(b))];
}
