import { Fault } from "#base";
import type { HostConfigBody } from "#container";
import { deviceRate, deviceWeight } from "./block-io.ts";
import type { CreateInput } from "./create-body.ts";
import { devices } from "./create-devices.ts";
import { parseMount, parseTmpfs } from "./create-mounts.ts";
import { networkMode } from "./create-networks.ts";
import { keyValues } from "./key-values.ts";
import { readText } from "./local-file.ts";

/** HostConfig without the binds and ports, which share their flags with Config. */
export function hostConfig(input: CreateInput): HostConfigBody {
  const { flags } = input;
  const security = securityOptions(flags["security-opt"]);
  return {
    ...limits(input),
    ...given({
      CgroupnsMode: flags.cgroupns,
      CgroupParent: flags["cgroup-parent"],
      ContainerIDFile: flags.cidfile,
      Init: input.given.has("init") ? flags.init : undefined,
      IpcMode: flags.ipc,
      Isolation: flags.isolation,
      PidMode: flags.pid,
      Runtime: flags.runtime,
      ShmSize: flags["shm-size"],
      UsernsMode: flags.userns,
      UTSMode: flags.uts,
      VolumeDriver: flags["volume-driver"],
    }),
    Annotations: { ...flags.annotation },
    AutoRemove: flags.rm,
    CapAdd: flags["cap-add"].map(capability),
    CapDrop: flags["cap-drop"].map(capability),
    DeviceCgroupRules: [...flags["device-cgroup-rule"]],
    ...devices(flags),
    Dns: flags.dns.map(address),
    DnsOptions: [...flags["dns-option"]],
    DnsSearch: [...flags["dns-search"]],
    ExtraHosts: flags["add-host"].map(extraHost),
    GroupAdd: [...flags["group-add"]],
    Links: [...flags.link],
    LogConfig: logConfig(flags["log-driver"], flags["log-opt"]),
    Mounts: flags.mount.map(parseMount),
    NetworkMode: networkMode(input),
    Privileged: flags.privileged,
    PublishAllPorts: flags["publish-all"],
    ...(flags["publish-through"] && { PublishThrough: true }),
    ReadonlyRootfs: flags["read-only"],
    RestartPolicy: restartPolicy(flags.restart, flags.rm),
    SecurityOpt: security.options,
    ...(security.bareSystemPaths ? { MaskedPaths: [], ReadonlyPaths: [] } : {}),
    StorageOpt: { ...keyValues(flags["storage-opt"]) },
    Sysctls: { ...flags.sysctl },
    Tmpfs: { ...parseTmpfs(flags.tmpfs) },
    VolumesFrom: [...flags["volumes-from"]],
  };
}

function limits({ flags, given: written }: CreateInput): HostConfigBody {
  return {
    ...given({
      BlkioWeight: flags["blkio-weight"],
      KernelMemory: flags["kernel-memory"],
      CpuPeriod: flags["cpu-period"],
      CpuQuota: flags["cpu-quota"],
      CpuRealtimePeriod: flags["cpu-rt-period"],
      CpuRealtimeRuntime: flags["cpu-rt-runtime"],
      CpuShares: flags["cpu-shares"],
      CpusetCpus: flags["cpuset-cpus"],
      CpusetMems: flags["cpuset-mems"],
      Memory: flags.memory,
      MemoryReservation: flags["memory-reservation"],
      MemorySwap: flags["memory-swap"],
      MemorySwappiness: flags["memory-swappiness"],
      NanoCpus: flags.cpus,
      OomKillDisable: written.has("oom-kill-disable") ? flags["oom-kill-disable"] : undefined,
      OomScoreAdj: flags["oom-score-adj"],
      PidsLimit: flags["pids-limit"],
    }),
    BlkioWeightDevice: flags["blkio-weight-device"].map(deviceWeight),
    BlkioDeviceReadBps: flags["device-read-bps"].map(deviceRate("device-read-bps")),
    BlkioDeviceWriteBps: flags["device-write-bps"].map(deviceRate("device-write-bps")),
    BlkioDeviceReadIOps: flags["device-read-iops"].map(deviceRate("device-read-iops")),
    BlkioDeviceWriteIOps: flags["device-write-iops"].map(deviceRate("device-write-iops")),
    Ulimits: flags.ulimit
      .map((word) => parseUlimit(word))
      .sort((a, b) => (a.Name < b.Name ? -1 : 1)),
  };
}

/** "net_admin" and "CAP_NET_ADMIN" are the same; "ALL" stays. */
function capability(word: string): string {
  const name = word.toUpperCase();
  return name === "ALL" || name.startsWith("CAP_") ? name : `CAP_${name}`;
}

function address(word: string): string {
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(word) || /^[0-9a-f:.]*:[0-9a-f:.%\w]*$/i.test(word))
    return word;
  throw new Fault(
    "invalid",
    `invalid argument "${word}" for "--dns" flag: IP address is not correctly formatted: ${word}`,
  );
}

/** "NAME=SOFT[:HARD]". */
export function parseUlimit(word: string, flag = "--ulimit") {
  const match = /^(\w+)=(-?\d+)(?::(-?\d+))?$/.exec(word);
  const fail = (why: string) =>
    new Fault("invalid", `invalid argument "${word}" for "${flag}" flag: ${why}`);
  if (!match) throw fail("write NAME=SOFT[:HARD]");
  const soft = Number(match[2]);
  const hard = Number(match[3] ?? match[2]);
  if (hard !== -1 && (soft === -1 || soft > hard)) {
    throw fail(`ulimit soft limit must be less than or equal to hard limit: ${soft} > ${hard}`);
  }
  return { Name: match[1] ?? "", Soft: soft, Hard: hard };
}

/** "NAME:ADDRESS"; "=" may stand for the colon, as it must before an IPv6 address in brackets. */
export function extraHost(word: string): string {
  const match = /^([^:=]+)[:=](.+)$/.exec(word);
  if (!match) {
    throw new Fault(
      "invalid",
      `invalid argument "${word}" for "--add-host" flag: bad format for add-host: "${word}"`,
    );
  }
  return `${match[1]}:${(match[2] ?? "").replace(/^\[(.*)\]$/, "$1")}`;
}

function logConfig(driver: string | undefined, options: readonly string[]) {
  if (driver === "none" && options.length > 0) {
    throw new Fault("invalid", `invalid logging opts for driver ${driver}`);
  }
  return { Type: driver ?? "", Config: { ...keyValues(options) } };
}

/** "on-failure:3" and the like; a policy does not go with the removal at the end. */
export function restartPolicy(word: string | undefined, autoRemove: boolean) {
  const [name = "no", count, ...more] = (word || "no").split(":");
  if (more.length > 0) throw new Fault("invalid", "invalid restart policy format");
  if (count !== undefined && !/^\d+$/.test(count)) {
    throw new Fault(
      "invalid",
      "invalid restart policy format: maximum retry count must be an integer",
    );
  }
  if (autoRemove && name !== "no" && name !== "") {
    throw new Fault("invalid", "conflicting options: cannot specify both --restart and --rm");
  }
  return { Name: name, MaximumRetryCount: Number(count ?? 0) };
}

/** Profiles are read here, by the one who can see the file; the engine gets their text. */
function securityOptions(words: readonly string[]) {
  const options: string[] = [];
  let bareSystemPaths = false;
  for (const word of words) {
    const match = /^([^=:]+)[=:](.*)$/.exec(word);
    if (!match && word !== "no-new-privileges") {
      throw new Fault("invalid", `invalid --security-opt: "${word}"`);
    }
    const [, key, value = ""] = match ?? [];
    if (key === "systempaths" && value === "unconfined") bareSystemPaths = true;
    else if (key === "seccomp" && value !== "unconfined" && value !== "builtin") {
      options.push(`seccomp=${readProfile(value)}`);
    } else options.push(word);
  }
  return { options, bareSystemPaths };
}

function readProfile(path: string): string {
  const text = readText(path, "opening seccomp profile");
  try {
    return JSON.stringify(JSON.parse(text));
  } catch (cause) {
    const why = (cause as Error).message;
    throw new Fault("invalid", `compacting json for seccomp profile (${path}) failed: ${why}`, {
      cause,
    });
  }
}

/** The fields of a record that have a value. */
function given<T extends Record<string, unknown>>(
  record: T,
): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const entries = Object.entries(record).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as { [K in keyof T]?: Exclude<T[K], undefined> };
}
