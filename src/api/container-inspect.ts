import { hostname } from "node:os";
import { defined, shortId } from "#base";
import {
  type BindMount,
  bindsOf,
  exposedPorts,
  type HostConfig,
  inspectConfig,
  inspectHostConfig,
  networkModeOf,
  type PlacedImage,
} from "#container";
import type { Container, ContainerNetwork, Health } from "#engine";
import type {
  ContainerConfig,
  ContainerHealth,
  ContainerInspect,
  EndpointSettings,
  HostConfigInspect,
  MountPoint,
  NetworkSettings,
  PublishedPorts,
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
    HostConfig: hostConfigOf(container),
    GraphDriver: graphDriverOf(container),
    Mounts: mountPoints(container),
    Config: configOf(container),
    NetworkSettings: networkSettingsOf(container),
    ...shippingOf(container),
  };
}

/** Not in Docker, which cannot tell what became of lines that a receiver did not take. */
function shippingOf({ logShipping }: Container): Pick<ContainerInspect, "LogShipping"> {
  if (!logShipping) return {};
  const { driver, receiver, shipped, dropped, failure = "" } = logShipping;
  return {
    LogShipping: {
      Driver: driver,
      Receiver: receiver,
      ShippedLines: shipped,
      DroppedLines: dropped,
      Error: failure,
    },
  };
}

/** As before 1.45: in networks that users made, a container's short id and host name are aliases. */
export function withOwnNames(answer: ContainerInspect): ContainerInspect {
  const own = [answer.Id.slice(0, 12), answer.Config.Hostname];
  const networks = Object.entries(answer.NetworkSettings.Networks).map(
    ([name, endpoint]) =>
      [
        name,
        ["bridge", "host", "none", "default"].includes(name)
          ? endpoint
          : { ...endpoint, Aliases: [...new Set([...(endpoint.Aliases ?? []), ...own])] },
      ] as const,
  );
  const NetworkSettings = { ...answer.NetworkSettings, Networks: Object.fromEntries(networks) };
  return { ...answer, NetworkSettings };
}

function hostConfigOf({ host, sent, links, name }: Container): HostConfigInspect {
  const shown = links.map((link) => `/${link.name}:/${name}/${link.alias}`);
  return {
    ...(inspectHostConfig(host, sent) as HostConfigInspect),
    Links: shown.length > 0 ? shown : null,
  };
}

function stateOf({ state, health }: Container): ContainerInspect["State"] {
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
    ...(health && { Health: healthOf(health) }),
  };
}

function healthOf({ status, failingStreak, log }: Health): ContainerHealth {
  return {
    Status: status,
    FailingStreak: failingStreak,
    Log: log.map(({ start, end, exitCode, output }) => ({
      Start: timeText(start),
      End: timeText(end),
      ExitCode: exitCode,
      Output: output,
    })),
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

/** The network under the name by which Docker lists it. */
export function networkName({ NetworkMode }: Pick<HostConfig, "NetworkMode">): string {
  return NetworkMode === "default" ? "bridge" : NetworkMode;
}

/** Binds, volumes, and the tmpfs mounts of `--mount`: Docker does not list those of `--tmpfs` either. */
export function mountPoints({
  host,
  placed,
}: Pick<Container, "host" | "placed">): readonly MountPoint[] {
  const tmpfs = host.Mounts.tmpfs.map(({ target, options }) => ({
    Type: "tmpfs" as const,
    Source: "",
    Destination: target,
    Mode: "",
    RW: !options.split(",").includes("ro"),
    Propagation: "",
  }));
  return [...bindsOf(host).map(bindPoint), ...placed.map(placedPoint), ...tmpfs];
}

function placedPoint(mount: Container["placed"][number]): MountPoint {
  if (mount.image !== undefined) return imagePoint(mount);
  if (mount.volume === undefined) return bindPoint(mount);
  return {
    Type: "volume",
    Name: mount.volume,
    Source: mount.source,
    Destination: mount.target,
    Driver: mount.driver,
    Mode: mount.mode,
    RW: !mount.readonly,
    Propagation: "",
  };
}

/** The files of an image are in no one directory of the host, so its id stands for the source. */
function imagePoint({ image, id, target }: PlacedImage): MountPoint {
  return {
    Type: "image",
    Name: image,
    Source: id,
    Destination: target,
    Mode: "",
    RW: false,
    Propagation: "rprivate",
  };
}

function bindPoint(bind: BindMount): MountPoint {
  return {
    Type: "bind",
    Source: bind.source,
    Destination: bind.target,
    Mode: bind.mode,
    RW: !bind.readonly,
    Propagation: bind.propagation ?? "rprivate",
  };
}

/** Without a name of its own a container is called by its short id, unless it has the host's name. */
function configOf({ id, config, host, sent, networks }: Container): ContainerConfig {
  const shown = inspectConfig(config, sent) as ContainerConfig & Readonly<Record<string, unknown>>;
  const own = networkModeOf(host).kind === "host" ? hostname() : shortId(id);
  const main = networks.find(({ network }) => network === networkName(host));
  const MacAddress = config.MacAddress || main?.settings.MacAddress || undefined;
  return { ...shown, Hostname: config.Hostname || own, ...defined({ MacAddress }) };
}

function endpointOf(network: ContainerNetwork): EndpointSettings {
  const { settings } = network;
  return {
    IPAMConfig: settings.IPAMConfig ?? null,
    Links: settings.Links ?? null,
    Aliases: settings.Aliases ?? null,
    MacAddress: network.mac || settings.MacAddress || "",
    DriverOpts: settings.DriverOpts ?? null,
    GwPriority: settings.GwPriority ?? 0,
    NetworkID: network.networkId,
    EndpointID: network.endpointId,
    Gateway: network.gateway,
    IPAddress: network.address,
    IPPrefixLen: network.prefixLength,
    IPv6Gateway: network.gateway6,
    GlobalIPv6Address: network.address6,
    GlobalIPv6PrefixLen: network.prefixLength6,
    DNSNames: dnsNamesOf(network),
  };
}

/** Names are for networks that users made, and shown from the first start on. */
function dnsNamesOf({ network, networkId, names }: ContainerNetwork): readonly string[] | null {
  return networkId === "" || ["bridge", "host", "none"].includes(network) ? null : names;
}

/** `NetworkSettings.Networks`: the container's place in each network, by the network's name. */
export function networksOf({
  networks,
}: Pick<Container, "networks">): Readonly<Record<string, EndpointSettings>> {
  return Object.fromEntries(networks.map((each) => [each.network, endpointOf(each)]));
}

/** `NetworkSettings.Ports`: what is published and, as null, what is only exposed; of a container that runs in a network of its own. */
function portsOf(container: Container): NetworkSettings["Ports"] {
  const { config, host, state, ports, networks } = container;
  if (state.pid === 0 || networks.length === 0 || networkModeOf(host).kind !== "bridge") return {};
  const shown: Record<string, PublishedPorts[string] | null> = {};
  for (const { protocol, containerPort } of exposedPorts(config))
    shown[`${containerPort}/${protocol}`] = null;
  return { ...shown, ...wirePorts(ports) };
}

/** By "80/tcp": where each is published. */
export function wirePorts(ports: Container["ports"]): PublishedPorts {
  const shown: Record<string, { HostIp: string; HostPort: string }[]> = {};
  for (const { protocol, containerPort, hostIp, hostPort } of ports) {
    const key = `${containerPort}/${protocol}`;
    const binding = { HostIp: hostIp, HostPort: String(hostPort) };
    shown[key] = [...(shown[key] ?? []), binding];
  }
  return shown;
}

function networkSettingsOf(container: Container): NetworkSettings {
  // Docker's fields from before there were several networks, for the default one alone.
  const first = container.networks.find(({ network }) => network === "bridge");
  const { sandboxId, state } = container;
  return {
    Bridge: container.bridge ?? "",
    SandboxID: sandboxId ?? "",
    SandboxKey: sandboxId === undefined ? "" : `/proc/${state.pid}/ns/net`,
    Ports: portsOf(container),
    HairpinMode: false,
    LinkLocalIPv6Address: "",
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    EndpointID: first?.endpointId ?? "",
    Gateway: first?.gateway ?? "",
    GlobalIPv6Address: first?.address6 ?? "",
    GlobalIPv6PrefixLen: first?.prefixLength6 ?? 0,
    IPAddress: first?.address ?? "",
    IPPrefixLen: first?.prefixLength ?? 0,
    IPv6Gateway: first?.gateway6 ?? "",
    MacAddress: first?.mac ?? "",
    Networks: networksOf(container),
  };
}
