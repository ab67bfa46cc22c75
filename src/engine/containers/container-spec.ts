import { Fault } from "#base";
import {
  defaultSpec,
  type Machine,
  type OciDevice,
  type OciDeviceRule,
  type OciMount,
  type OciResources,
  type OciRlimit,
  type OciSpec,
  parseResourceLimit,
  readHostDevice,
  readHostDevices,
  type SpecOptions,
} from "#runtime";
import type { BindMount, ContainerConfig, DeviceMapping, HostConfig } from "../contract.ts";
import { resolveEnv } from "./image-default.ts";
import { parseSecurityOptions } from "./security-option.ts";
import type { ResolvedUser } from "./user.ts";

export interface ContainerSpecInput {
  readonly config: ContainerConfig;
  readonly host: HostConfig;
  readonly argv: readonly string[];
  readonly user: ResolvedUser;
  readonly hostname: string;
  /** Paths on this host to bind over the files in /etc; "" for none. */
  readonly files: {
    readonly hostname: string;
    readonly hosts: string;
    readonly resolvConf: string;
  };
  /** /dev/shm of the container whose ipc namespace is shared. */
  readonly shmSource?: string;
  readonly machine: Machine;
}

/** Docker's configuration of a container as an OCI one. `warnings` are for the user. */
export function containerSpec(input: ContainerSpecInput): {
  readonly spec: OciSpec;
  readonly warnings: readonly string[];
} {
  const { config, host, machine } = input;
  const security = parseSecurityOptions(host.securityOpt);
  const devices = host.devices.map(mapDevice);
  const masked = security.showsSystemPaths ? [] : host.maskedPaths;
  const readonlyPaths = security.showsSystemPaths ? [] : host.readonlyPaths;
  return defaultSpec({
    argv: input.argv,
    env: processEnv(config, input.hostname, input.user.home),
    cwd: config.workingDir,
    user: input.user,
    terminal: config.tty,
    hostname: input.hostname,
    ...(config.domainname !== "" && { domainname: config.domainname }),
    readonlyRoot: host.readonlyRootfs,
    privileged: host.privileged,
    capAdd: host.capAdd,
    capDrop: host.capDrop,
    noNewPrivileges: security.noNewPrivileges,
    ...(security.seccomp && { seccomp: security.seccomp }),
    namespaces: namespaceModes(host),
    ...(host.shmSize > 0 && { shmSize: host.shmSize }),
    ...(input.shmSource !== undefined && { shmSource: input.shmSource }),
    mounts: [...fileMounts(input), ...host.tmpfs.map(tmpfsMount), ...host.binds.map(bindMount)],
    devices: devices.map(({ device }) => device),
    deviceRules: devices.map(({ rule }) => rule),
    ...(host.privileged && { hostDevices: readHostDevices() }),
    rlimits: host.ulimits.map(parseUlimit),
    oomScoreAdj: host.oomScoreAdj,
    sysctls: host.sysctls,
    ...(masked && { maskedPaths: masked }),
    ...(readonlyPaths && { readonlyPaths }),
    resources: containerResources(host),
    machine,
  });
}

const defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Docker's variables, which those of the configuration replace; HOME comes from the user's passwd entry. */
function processEnv(config: ContainerConfig, hostname: string, home: string): readonly string[] {
  const env = resolveEnv([
    defaultPath,
    `HOSTNAME=${hostname}`,
    ...(config.tty ? ["TERM=xterm"] : []),
    ...config.env,
  ]);
  return env.some((each) => each.startsWith("HOME=")) ? env : [...env, `HOME=${home}`];
}

function namespaceModes(host: HostConfig): NonNullable<SpecOptions["namespaces"]> {
  const mode = (value: string) =>
    value === "host" ? "host" : value.startsWith("container:") ? "join" : "new";
  return {
    // The network module makes namespaces ahead, with what Docker sets in them.
    network: host.networkMode === "host" ? "host" : "join",
    pid: mode(host.pidMode),
    ipc: mode(host.ipcMode),
    uts: mode(host.utsMode),
    ...(host.cgroupnsMode !== "" && {
      cgroup: host.cgroupnsMode === "host" ? "host" : "new",
    }),
  };
}

function fileMounts({ files, host }: ContainerSpecInput): readonly OciMount[] {
  const own = new Set(host.binds.map((bind) => bind.target));
  const mounts: readonly (readonly [string, string])[] = [
    ["/etc/resolv.conf", files.resolvConf],
    ["/etc/hostname", files.hostname],
    ["/etc/hosts", files.hosts],
  ];
  return mounts
    .filter(([destination, source]) => source !== "" && !own.has(destination))
    .map(([destination, source]) => ({
      destination,
      type: "bind",
      source,
      options: ["rbind", "rprivate"],
    }));
}

function tmpfsMount({ target, options }: { target: string; options: string }): OciMount {
  return {
    destination: target,
    type: "tmpfs",
    source: "tmpfs",
    options: ["noexec", "nosuid", "nodev", ...options.split(",").filter(Boolean)],
  };
}

function bindMount(bind: BindMount): OciMount {
  return {
    destination: bind.target,
    type: "bind",
    source: bind.source,
    options: [
      bind.recursive ? "rbind" : "bind",
      // Not "rw": that would open what the host has mounted read-only.
      ...(bind.readonly ? [bind.recursive ? "rro" : "ro"] : []),
      bind.propagation ?? "rprivate",
    ],
  };
}

function mapDevice(mapping: DeviceMapping): { device: OciDevice; rule: OciDeviceRule } {
  const found = readHostDevice(mapping.source);
  if (!found || (found.type !== "c" && found.type !== "b")) {
    throw new Fault(
      "invalid",
      `error gathering device information while adding custom device "${mapping.source}": no such file or directory, or not a device`,
      { about: mapping.source },
    );
  }
  if (!/^[rwm]{1,3}$/.test(mapping.permissions)) {
    throw new Fault("invalid", `invalid device mode: ${mapping.permissions}`, {
      about: mapping.source,
    });
  }
  const { major = 0, minor = 0 } = found;
  return {
    device: { ...found, path: mapping.target || mapping.source },
    rule: { allow: true, type: found.type, major, minor, access: mapping.permissions },
  };
}

function parseUlimit(limit: { name: string; soft: number; hard: number }): OciRlimit {
  const type = parseResourceLimit(limit.name);
  if (!type)
    throw new Fault("invalid", `invalid ulimit type: ${limit.name}`, { about: limit.name });
  if (limit.hard >= 0 && (limit.soft > limit.hard || limit.soft < 0)) {
    throw new Fault(
      "invalid",
      `ulimit soft limit must be less than or equal to hard limit: ${limit.soft} > ${limit.hard}`,
      { about: limit.name },
    );
  }
  return { type, soft: limit.soft, hard: limit.hard };
}

/** Limits as OCI has them; what is 0 in Docker's form is left out. */
export function containerResources(host: HostConfig): Omit<OciResources, "devices"> {
  const { memorySwappiness = -1 } = host;
  const memory = {
    ...(host.memory > 0 && { limit: host.memory }),
    // Docker: with a memory limit alone, as much swap again.
    ...(host.memory > 0 && { swap: host.memorySwap || host.memory * 2 }),
    ...(host.memoryReservation > 0 && { reservation: host.memoryReservation }),
    ...(memorySwappiness >= 0 && { swappiness: memorySwappiness }),
    ...(host.oomKillDisable && { disableOOMKiller: true }),
  };
  const cpu = {
    ...(host.nanoCpus > 0
      ? { period: 100_000, quota: Math.max(1000, Math.round(host.nanoCpus / 10_000)) }
      : {
          ...(host.cpuPeriod > 0 && { period: host.cpuPeriod }),
          ...(host.cpuQuota > 0 && { quota: host.cpuQuota }),
        }),
    ...(host.cpuShares > 0 && { shares: host.cpuShares }),
    ...(host.cpusetCpus !== "" && { cpus: host.cpusetCpus }),
    ...(host.cpusetMems !== "" && { mems: host.cpusetMems }),
  };
  return { memory, cpu, ...(host.pidsLimit > 0 && { pids: { limit: host.pidsLimit } }) };
}
