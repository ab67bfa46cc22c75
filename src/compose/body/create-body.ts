import { defined, Fault } from "#base";
import type { ContainerCreateBody } from "#container";
import type { Mapping, Value } from "#yaml";
import { itemsAt, mappingAt, numberAt, pairsAt, textAt, textsAt } from "../project/fields.ts";
import type { Project } from "../project/project.ts";
import { endpointsOf } from "./endpoints.ts";
import { containerLabels, type ProjectOrigin } from "./labels.ts";
import { type InheritedVolume, mountsOf, tmpfsOf } from "./mounts.ts";
import { mutable, resourcesOf, restartPolicyOf } from "./resources.ts";

/** A container of a service that is to be made. */
export interface NewContainer {
  readonly project: Project;
  readonly origin: ProjectOrigin;
  /** The service's key. */
  readonly name: string;
  /** The service, where it refers to containers of others by their ids (see `resolveService`). */
  readonly service: Mapping;
  /** From 1 on; 0 for a container that is no part of the project (`run`). */
  readonly number: number;
  /** "" where the engine is to find the image by its name alone. */
  readonly imageId: string;
  /** The names of the containers of each service, which links mean. */
  readonly containerNames: (service: string) => readonly string[];
  /** Variables that the service does not set itself, as those of a proxy. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly inherited?: readonly InheritedVolume[];
  readonly isOneOff?: boolean;
  /** A container of `run` answers to the service's name only if it is asked to. */
  readonly hasServiceAlias?: boolean;
  /** Standard input is connected: the container's ends with it. */
  readonly hasInput?: boolean;
  readonly removesItself?: boolean;
  readonly replaces?: string;
}

/** The name of a service's container. */
export function containerName(project: Project, name: string, number: number): string {
  const own = textAt(project.services.get(name) ?? new Map(), "container_name");
  return own === "" ? `${project.name}-${name}-${number}` : own;
}

/** The image of a service; one that is only built is named after project and service. */
export function imageOf(project: Project, name: string, service: Mapping): string {
  return textAt(service, "image") || `${project.name}-${name}`;
}

/**
 * What docker compose sends to create a container of a service.
 * @throws Fault "unsupported" for keys that cannot be honoured
 */
export function createBody(container: NewContainer): ContainerCreateBody {
  const { project, name, service, number } = container;
  refuseKeys(name, service);
  const links = linksOf(container);
  const own = containerName(project, name, number);
  const aliases = [own, ...(container.hasServiceAlias === false ? [] : [name])];
  const endpoints = endpointsOf(project, service, { aliases, links });
  const { binds, mounts } = mountsOf(project, service, container.inherited ?? []);
  const isOpen = service.get("stdin_open") === true;
  const grace = service.get("stop_grace_period");
  const body: ContainerCreateBody = {
    Hostname: textAt(service, "hostname"),
    Domainname: textAt(service, "domainname"),
    User: textAt(service, "user"),
    ExposedPorts: exposedPorts(service),
    Tty: service.get("tty") === true,
    OpenStdin: isOpen,
    StdinOnce: container.hasInput === true && isOpen,
    AttachStdin: container.hasInput === true,
    AttachStdout: true,
    AttachStderr: true,
    Env: environmentOf(service, container.environment),
    Cmd: mutable(textsAt(service, "command")),
    Entrypoint: mutable(textsAt(service, "entrypoint")),
    Healthcheck: healthCheckOf(service),
    Image: imageOf(project, name, service),
    WorkingDir: textAt(service, "working_dir"),
    StopSignal: textAt(service, "stop_signal"),
    StopTimeout: grace === undefined ? undefined : Math.trunc(Number(grace) / 1e9),
    NetworkDisabled: textAt(service, "network_mode") === "disabled",
    Labels: containerLabels(service, {
      ...{ isOneOff: false, replaces: undefined },
      ...container,
    }),
    HostConfig: {
      ...hostConfig(service),
      ...{ AutoRemove: container.removesItself === true, Links: links },
      ...{ NetworkMode: endpoints.mode, Binds: binds, Mounts: mounts },
    },
    ...defined({ NetworkingConfig: endpoints.networking }),
  };
  return body;
}

function hostConfig(service: Mapping): NonNullable<ContainerCreateBody["HostConfig"]> {
  const logging = mappingAt(service, "logging");
  const init = service.get("init");
  const security = textsAt(service, "security_opt") ?? [];
  const isUnconfined = security.includes("systempaths=unconfined");
  return {
    ...resourcesOf(service),
    Annotations: pairsAt(service, "annotations"),
    LogConfig: { Type: textAt(logging, "driver"), Config: pairsAt(logging, "options") },
    PortBindings: portBindings(service),
    RestartPolicy: restartPolicyOf(service),
    VolumesFrom: mutable(textsAt(service, "volumes_from")),
    CapAdd: mutable(textsAt(service, "cap_add")),
    CapDrop: mutable(textsAt(service, "cap_drop")),
    CgroupnsMode: textAt(service, "cgroup"),
    Dns: mutable(textsAt(service, "dns")),
    DnsOptions: mutable(textsAt(service, "dns_opt")),
    DnsSearch: mutable(textsAt(service, "dns_search")),
    ExtraHosts: extraHosts(service),
    GroupAdd: mutable(textsAt(service, "group_add")),
    IpcMode: textAt(service, "ipc"),
    Isolation: textAt(service, "isolation"),
    OomScoreAdj: numberAt(service, "oom_score_adj"),
    PidMode: textAt(service, "pid"),
    Privileged: service.get("privileged") === true,
    ReadonlyRootfs: service.get("read_only") === true,
    SecurityOpt: security.filter((option) => option !== "systempaths=unconfined"),
    StorageOpt: pairsAt(service, "storage_opt"),
    Sysctls: pairsAt(service, "sysctls"),
    Tmpfs: tmpfsOf(service),
    UTSMode: textAt(service, "uts"),
    UsernsMode: textAt(service, "userns_mode"),
    ShmSize: numberAt(service, "shm_size"),
    Runtime: textAt(service, "runtime"),
    ...(typeof init === "boolean" && { Init: init }),
    ...(isUnconfined && { MaskedPaths: [], ReadonlyPaths: [] }),
  };
}

/** Keys that ask for something which an engine alone cannot do. */
const refusedKeys: Readonly<Record<string, string>> = {
  credential_spec: "is for Windows",
  provider: "runs a program in place of a container",
  use_api_socket: "gives the engine to a container",
};

function refuseKeys(name: string, service: Mapping): void {
  for (const [key, why] of Object.entries(refusedKeys)) {
    const value = service.get(key);
    if (value === undefined || value === false) continue;
    const problem = `service "${name}" uses "${key}", which thimble does not have: it ${why}`;
    throw new Fault("unsupported", problem);
  }
}

function environmentOf(service: Mapping, others: NewContainer["environment"] = {}): string[] {
  const own = mappingAt(service, "environment");
  const all = new Map<string, Value>([...Object.entries(others), ...own]);
  return [...all].map(([key, value]) => (value === null ? key : `${key}=${String(value)}`));
}

function healthCheckOf(service: Mapping): ContainerCreateBody["Healthcheck"] {
  if (!service.has("healthcheck")) return undefined;
  const check = mappingAt(service, "healthcheck");
  if (check.get("disable") === true) return { Test: ["NONE"] };
  return {
    Test: mutable(textsAt(check, "test")),
    Interval: numberAt(check, "interval"),
    Timeout: numberAt(check, "timeout"),
    StartPeriod: numberAt(check, "start_period"),
    StartInterval: numberAt(check, "start_interval"),
    Retries: numberAt(check, "retries"),
  };
}

const portOf = (port: Mapping) => `${numberAt(port, "target")}/${textAt(port, "protocol")}`;

function exposedPorts(service: Mapping): Record<string, object> {
  const ports = [...(textsAt(service, "expose") ?? []), ...itemsAt(service, "ports").map(portOf)];
  return Object.fromEntries(ports.map((port) => [port, {}]));
}

function portBindings(service: Mapping) {
  const bindings: Record<string, { HostIp: string; HostPort: string }[]> = {};
  for (const port of itemsAt(service, "ports")) {
    const binding = { HostIp: textAt(port, "host_ip"), HostPort: textAt(port, "published") };
    const key = portOf(port);
    bindings[key] = [...(bindings[key] ?? []), binding];
  }
  return bindings;
}

function extraHosts(service: Mapping): string[] {
  return [...mappingAt(service, "extra_hosts")].flatMap(([host, addresses]) =>
    (addresses as string[]).map((address) => `${host}:${address}`),
  );
}

/** Names by which a container reaches others: of services that are linked, and of containers of others. */
function linksOf({ project, name, service, number, ...rest }: NewContainer): string[] {
  const parts = (link: string) => {
    const [target = "", alias = target] = link.split(":");
    return { target, alias };
  };
  const links = (textsAt(service, "links") ?? []).flatMap((link) => {
    const { target, alias } = parts(link);
    const names = [alias, `${target}-${number}`, `${project.name}-${target}-${number}`];
    return rest
      .containerNames(target)
      .flatMap((container) => names.map((one) => `${container}:${one}`));
  });
  const own = rest.isOneOff === true ? rest.containerNames(name) : [];
  for (const container of own) {
    const short = container.startsWith(`${project.name}-`)
      ? container.slice(project.name.length + 1)
      : container;
    links.push(...[name, short, container].map((one) => `${container}:${one}`));
  }
  for (const link of textsAt(service, "external_links") ?? []) {
    const { target, alias } = parts(link);
    links.push(`${target}:${alias}`);
  }
  return links;
}
