import { Fault } from "#base";
import type { ContainerCreateBody, EndpointBody, HostConfigBody } from "#wire";

/**
 * What a create request may ask for in Docker's API and this engine does not have.
 * Nothing is left out silently: one `unsupported` fault names every such option.
 */
export function refuseUnsupported(body: ContainerCreateBody): void {
  const host = body.HostConfig ?? {};
  const found = [
    ...unsupportedConfig(body),
    ...unsupportedHost(host),
    ...unsupportedNetworks(body),
  ];
  if (found.length > 0)
    throw new Fault(
      "unsupported",
      `${found.length === 1 ? "this option is" : "these options are"} not supported yet: ${found.join("; ")}`,
    );
}

/** Values that change nothing. */
function isSet(value: unknown): boolean {
  if (value === undefined || value === null || value === "" || value === 0 || value === false)
    return false;
  return typeof value !== "object" || Object.keys(value).length > 0;
}

function* unsupportedConfig(body: ContainerCreateBody): Generator<string> {
  const volumes = Object.keys(body.Volumes ?? {});
  if (volumes.length > 0) yield `anonymous volumes (${volumes.join(", ")})`;
  if (isSet(body.MacAddress)) yield "a MAC address (MacAddress)";
  if (isSet(body.OnBuild)) yield "triggers of a build (OnBuild)";
  if (isSet(body.Shell)) yield "the shell of a build (Shell)";
  const test = body.Healthcheck?.Test ?? [];
  if (test.length > 0 && test[0] !== "NONE") yield "health checks (Healthcheck)";
}

const plainOptions: Readonly<Record<string, string>> = {
  PortBindings: "publishing ports (PortBindings)",
  PublishAllPorts: "publishing ports (PublishAllPorts)",
  VolumeDriver: "volume drivers (VolumeDriver)",
  VolumesFrom: "volumes of other containers (VolumesFrom)",
  Links: "links to other containers (Links)",
  Annotations: "annotations (Annotations)",
  Cgroup: "another container's cgroup (Cgroup)",
  StorageOpt: "options of the storage driver (StorageOpt)",
  BlkioWeightDevice: "block I/O weights (BlkioWeightDevice)",
  BlkioDeviceReadBps: "block I/O limits (BlkioDeviceReadBps)",
  BlkioDeviceWriteBps: "block I/O limits (BlkioDeviceWriteBps)",
  BlkioDeviceReadIOps: "block I/O limits (BlkioDeviceReadIOps)",
  BlkioDeviceWriteIOps: "block I/O limits (BlkioDeviceWriteIOps)",
  BlkioWeight: "block I/O weights (BlkioWeight)",
  CpuRealtimePeriod: "real-time scheduling (CpuRealtimePeriod)",
  CpuRealtimeRuntime: "real-time scheduling (CpuRealtimeRuntime)",
  DeviceCgroupRules: "device cgroup rules (DeviceCgroupRules)",
  DeviceRequests: "device requests, as for GPUs (DeviceRequests)",
  KernelMemory: "limits of kernel memory (KernelMemory)",
  KernelMemoryTCP: "limits of kernel memory (KernelMemoryTCP)",
  CpuCount: "Windows' CPU limits (CpuCount)",
  CpuPercent: "Windows' CPU limits (CpuPercent)",
  IOMaximumIOps: "Windows' I/O limits (IOMaximumIOps)",
  IOMaximumBandwidth: "Windows' I/O limits (IOMaximumBandwidth)",
};

function* unsupportedHost(host: HostConfigBody): Generator<string> {
  for (const [option, what] of Object.entries(plainOptions)) if (isSet(host[option])) yield what;
  const restart = host.RestartPolicy?.Name ?? "";
  if (restart !== "" && restart !== "no")
    yield `the restart policy ${JSON.stringify(restart)} (RestartPolicy)`;
  const runtime = host.Runtime ?? "";
  if (runtime !== "" && runtime !== "thimble")
    yield `the runtime ${JSON.stringify(runtime)} (Runtime)`;
  const isolation = host.Isolation ?? "";
  if (!["", "default", "process"].includes(isolation))
    yield `the isolation ${JSON.stringify(isolation)} (Isolation)`;
  const users = host.UsernsMode ?? "";
  if (users !== "" && users !== "host")
    yield `the user namespace mode ${JSON.stringify(users)} (UsernsMode)`;
  for (const { Type, Target } of host.Mounts ?? [])
    if (Type && laterMounts.includes(Type))
      yield `mounts of type ${JSON.stringify(Type ?? "")} (${Target ?? ""})`;
  for (const bind of host.Binds ?? [])
    if (bind !== "" && !bind.startsWith("/") && bind.includes(":")) yield `named volumes (${bind})`;
    else if (!bind.includes(":")) yield `anonymous volumes (${bind})`;
}

/** Docker's types of mounts beside bind and tmpfs; any other is a mistake. */
const laterMounts: readonly string[] = ["volume", "image", "cluster", "npipe"];

const ownNetworks = /^(|default|bridge|none|host|container:.+)$/;

function* unsupportedNetworks(body: ContainerCreateBody): Generator<string> {
  const mode = body.HostConfig?.NetworkMode ?? "";
  if (!ownNetworks.test(mode))
    yield `the network ${JSON.stringify(mode)} (only bridge, none, host and container:NAME are there)`;
  if (body.NetworkDisabled) yield "NetworkDisabled (use the network none)";
  for (const [name, settings] of Object.entries(body.NetworkingConfig?.EndpointsConfig ?? {})) {
    if (!ownNetworks.test(name) && name !== mode)
      yield `the network ${JSON.stringify(name)} (NetworkingConfig)`;
    if (settings) yield* unsupportedEndpoint(name, settings);
  }
}

function* unsupportedEndpoint(name: string, settings: EndpointBody): Generator<string> {
  const addresses = Object.values(settings.IPAMConfig ?? {}).some(isSet);
  if (addresses || isSet(settings.IPAddress)) yield `a fixed address on ${name} (IPAMConfig)`;
  if (isSet(settings.Aliases)) yield `aliases on ${name} (Aliases)`;
  if (isSet(settings.Links)) yield `links on ${name} (Links)`;
  if (isSet(settings.MacAddress)) yield `a MAC address on ${name} (MacAddress)`;
  if (isSet(settings.DriverOpts)) yield `driver options on ${name} (DriverOpts)`;
}
