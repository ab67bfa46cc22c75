import { Fault } from "#base";
import type { ContainerConfig, CreateRequest, Healthcheck, HostConfig, Owner } from "#engine";
import type { ContainerCreateBody, HostConfigBody } from "#wire";
import { bindsOf, tmpfsOf } from "./create-mounts.ts";
import { refuseUnsupported } from "./unsupported-options.ts";

export interface CreateRequestParts {
  readonly body: ContainerCreateBody;
  readonly owner: Owner;
  readonly name?: string | undefined;
  readonly platform?: string | undefined;
}

/** A create body in the engine's words, with Docker's defaults filled in. What the engine lacks is an `unsupported` fault. */
export function createRequestOf({
  body,
  owner,
  name,
  platform,
}: CreateRequestParts): CreateRequest {
  const { HostConfig: host, NetworkingConfig: _networks, ...config } = body;
  if (!Object.values(config).some((value) => value !== null && value !== undefined))
    throw new Fault("invalid", "config cannot be empty in order to create a container");
  if (!body.Image) throw new Fault("invalid", "invalid reference format: no image is named");
  refuseUnsupported(body);
  return {
    ...(name !== undefined && { name }),
    ...(platform !== undefined && { platform }),
    config: configOf(body),
    host: hostOf(host ?? {}),
    owner,
  };
}

function listOf(
  value: string | readonly string[] | null | undefined,
): readonly string[] | undefined {
  if (value === null || value === undefined) return undefined;
  return typeof value === "string" ? [value] : value;
}

function configOf(body: ContainerCreateBody): ContainerConfig {
  const cmd = listOf(body.Cmd);
  const entrypoint = listOf(body.Entrypoint);
  const healthcheck = healthcheckOf(body);
  return {
    image: body.Image ?? "",
    hostname: body.Hostname ?? "",
    domainname: body.Domainname ?? "",
    user: body.User ?? "",
    tty: body.Tty ?? false,
    openStdin: body.OpenStdin ?? false,
    stdinOnce: body.StdinOnce ?? false,
    attachStdin: body.AttachStdin ?? false,
    attachStdout: body.AttachStdout ?? false,
    attachStderr: body.AttachStderr ?? false,
    env: body.Env ?? [],
    workingDir: body.WorkingDir ?? "",
    labels: body.Labels ?? {},
    exposedPorts: Object.keys(body.ExposedPorts ?? {}),
    volumes: [],
    ...(cmd && { cmd }),
    ...(entrypoint && { entrypoint }),
    ...(body.StopSignal && { stopSignal: body.StopSignal }),
    ...(typeof body.StopTimeout === "number" && { stopTimeout: body.StopTimeout }),
    ...(healthcheck && { healthcheck }),
  };
}

function healthcheckOf({ Healthcheck: check }: ContainerCreateBody): Healthcheck | undefined {
  const test = check?.Test ?? [];
  return test.length > 0 ? { test } : undefined;
}

const defaultShmSize = 64 << 20;

function hostOf(host: HostConfigBody): HostConfig {
  const swappiness = host.MemorySwappiness ?? -1;
  return {
    binds: bindsOf(host),
    tmpfs: tmpfsOf(host),
    autoRemove: host.AutoRemove ?? false,
    privileged: host.Privileged ?? false,
    init: host.Init ?? false,
    readonlyRootfs: host.ReadonlyRootfs ?? false,
    capAdd: (host.CapAdd ?? []).map(capabilityName),
    capDrop: (host.CapDrop ?? []).map(capabilityName),
    networkMode: host.NetworkMode || "default",
    ipcMode: host.IpcMode ?? "",
    pidMode: host.PidMode ?? "",
    utsMode: host.UTSMode ?? "",
    cgroupnsMode: cgroupnsMode(host.CgroupnsMode ?? ""),
    cgroupParent: host.CgroupParent ?? "",
    ...memoryOf(host),
    ...(swappiness >= 0 && { memorySwappiness: swappiness }),
    ...cpuOf(host),
    oomKillDisable: host.OomKillDisable ?? false,
    oomScoreAdj: host.OomScoreAdj ?? 0,
    pidsLimit: host.PidsLimit ?? 0,
    ulimits: (host.Ulimits ?? []).map(({ Name, Soft, Hard }) => ({
      name: Name,
      soft: Soft ?? 0,
      hard: Hard ?? 0,
    })),
    devices: (host.Devices ?? []).map(deviceOf),
    groupAdd: host.GroupAdd ?? [],
    securityOpt: host.SecurityOpt ?? [],
    sysctls: host.Sysctls ?? {},
    shmSize: host.ShmSize || defaultShmSize,
    dns: host.Dns ?? [],
    dnsSearch: host.DnsSearch ?? [],
    dnsOptions: host.DnsOptions ?? [],
    extraHosts: host.ExtraHosts ?? [],
    logDriver: host.LogConfig?.Type || "json-file",
    logOptions: host.LogConfig?.Config ?? {},
    ...consoleSizeOf(host),
    ...(host.MaskedPaths && { maskedPaths: host.MaskedPaths }),
    ...(host.ReadonlyPaths && { readonlyPaths: host.ReadonlyPaths }),
  };
}

/** [rows, columns]; zeros where the client has no terminal. */
function consoleSizeOf({ ConsoleSize }: HostConfigBody): Pick<HostConfig, "consoleSize"> {
  const [rows = 0, columns = 0] = ConsoleSize ?? [];
  return rows > 0 && columns > 0 ? { consoleSize: { rows, columns } } : {};
}

/** A memory limit without one for swap allows as much swap again, as Docker has it. */
function memoryOf(
  host: HostConfigBody,
): Pick<HostConfig, "memory" | "memorySwap" | "memoryReservation"> {
  const memory = host.Memory ?? 0;
  const memorySwap = host.MemorySwap ?? 0;
  return {
    memory,
    memorySwap: memory > 0 && memorySwap === 0 ? memory * 2 : memorySwap,
    memoryReservation: host.MemoryReservation ?? 0,
  };
}

function cpuOf(
  host: HostConfigBody,
): Pick<
  HostConfig,
  "nanoCpus" | "cpuShares" | "cpuPeriod" | "cpuQuota" | "cpusetCpus" | "cpusetMems"
> {
  return {
    nanoCpus: host.NanoCpus ?? 0,
    cpuShares: host.CpuShares ?? 0,
    cpuPeriod: host.CpuPeriod ?? 0,
    cpuQuota: host.CpuQuota ?? 0,
    cpusetCpus: host.CpusetCpus ?? "",
    cpusetMems: host.CpusetMems ?? "",
  };
}

function deviceOf(
  device: NonNullable<HostConfigBody["Devices"]>[number],
): HostConfig["devices"][number] {
  const source = device.PathOnHost ?? "";
  return {
    source,
    target: device.PathInContainer || source,
    permissions: device.CgroupPermissions || "rwm",
  };
}

/** "net_admin" and "CAP_NET_ADMIN" are the same; ALL stands for itself. */
function capabilityName(text: string): string {
  const name = text.toUpperCase();
  return name === "ALL" || name.startsWith("CAP_") ? name : `CAP_${name}`;
}

function cgroupnsMode(text: string): HostConfig["cgroupnsMode"] {
  if (text === "" || text === "private" || text === "host") return text;
  throw new Fault("invalid", `invalid cgroup namespace mode: ${text}`, { about: text });
}
