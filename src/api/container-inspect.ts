import { hostname } from "node:os";
import { type ContainerId, shortId } from "#base";
import type { Container, HostConfig, NetworkAttachment } from "#engine";
import type {
  ContainerConfig,
  ContainerInspect,
  EndpointSettings,
  MountPoint,
  NetworkSettings,
} from "#wire";
import { hostConfigOf, modeOf, networkName } from "./container-host-config.ts";
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

function keys(names: readonly string[]): Readonly<Record<string, object>> {
  return Object.fromEntries(names.map((name) => [name, {}]));
}

/** Without a name of its own a container is called by its short id, unless it has the host's name or another's. */
function ownHostname(id: ContainerId, { networkMode, utsMode }: HostConfig): string {
  if (utsMode === "host" || networkMode === "host") return hostname();
  return networkMode.startsWith("container:") ? "" : shortId(id);
}

function configOf({ id, config, host }: Container): ContainerConfig {
  return {
    Hostname: config.hostname || ownHostname(id, host),
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
