import { hostname } from "node:os";
import {
  checkSent,
  defaultLogConfig,
  type HostConfigBody,
  type Limits,
  type LogConfig,
  type Sent,
  withLogDefaults,
} from "#container";
import type { Parts } from "./parts.ts";

/** What an administrator sets for a whole engine, and may change while it runs. */
export interface EngineSettings {
  /** Shown by `info`. */
  readonly debug: boolean;
  readonly labels: readonly string[];
  /** The log of containers whose request names no driver. */
  readonly log: LogConfig;
  /** What containers are created with where the request says nothing. */
  readonly containers: ContainerDefaults;
  /** Shown by `info`: registries that need no certificate, and mirrors of Docker Hub as URLs. */
  readonly insecureRegistries: readonly string[];
  readonly registryMirrors: readonly string[];
  /** Shown by `info`: the plugins that decide about requests, in this order. */
  readonly authorizationPlugins: readonly string[];
  /** Layers that travel at once, over all pulls and in each push. */
  readonly maxDownloads: number;
  readonly maxUploads: number;
}

/** Fields of a container's HostConfig that have a default of the engine's. */
export type ContainerDefaults = Pick<
  HostConfigBody,
  "ShmSize" | "Ulimits" | "Init" | "Dns" | "DnsOptions" | "DnsSearch"
>;

/** Docker's settings where nothing else is said. */
export const defaultSettings: EngineSettings = {
  debug: false,
  labels: [],
  log: defaultLogConfig,
  containers: {},
  insecureRegistries: [],
  registryMirrors: [],
  authorizationPlugins: [],
  maxDownloads: 3,
  maxUploads: 5,
};

/**
 * Puts new settings into effect, for what is created from now on, and tells so by the event `daemon
 * reload`. A fault of `checkDefaults` changes nothing.
 */
export function reload(
  parts: Parts<"settings" | "content" | "events" | "state" | "tasks" | "cpus">,
  settings: EngineSettings,
): void {
  checkDefaults(settings, parts);
  parts.settings.current = settings;
  parts.content.limitDownloads(settings.maxDownloads);
  parts.events.publish("daemon", "reload", parts.state.instanceId, {
    name: hostname(),
    debug: String(settings.debug),
    labels: JSON.stringify(settings.labels),
    "insecure-registries": JSON.stringify(settings.insecureRegistries),
    "registry-mirrors": JSON.stringify(settings.registryMirrors),
    "max-concurrent-downloads": String(settings.maxDownloads),
    "max-concurrent-uploads": String(settings.maxUploads),
    "live-restore": "true",
    "default-shm-size": String(settings.containers.ShmSize ?? 64 << 20),
  });
}

/** `invalid`, as for a container, when no container can have these values. */
export function checkDefaults(
  { containers, log }: Pick<EngineSettings, "containers" | "log">,
  limits: Limits,
): void {
  checkSent(
    { Config: { Image: "default" }, HostConfig: { ...containers, LogConfig: log } },
    limits,
  );
}

/**
 * A create request with the engine's defaults in place of what it leaves out. Limits (ulimits) are
 * added by their names, as dockerd does.
 */
export function withDefaults(
  sent: Sent,
  { containers: defaults, log }: Pick<EngineSettings, "containers" | "log">,
): Sent {
  const { HostConfig: host } = sent;
  const shares = /^(host$|none$|container:)/.test(host.NetworkMode ?? "");
  const names = shares ? {} : pick(host, defaults, ["Dns", "DnsOptions", "DnsSearch"]);
  const limits = ulimits(host.Ulimits, defaults.Ulimits);
  const added = {
    ...names,
    ...pick(host, defaults, ["ShmSize", "Init"]),
    ...(limits && { Ulimits: limits }),
  };
  return withLogDefaults({ ...sent, HostConfig: { ...host, ...added } }, log);
}

/** The defaults of those fields that the request leaves empty. */
function pick(
  host: HostConfigBody,
  defaults: ContainerDefaults,
  names: readonly (keyof ContainerDefaults)[],
): Partial<ContainerDefaults> {
  const isEmpty = (value: unknown) =>
    value === undefined ||
    value === null ||
    value === 0 ||
    (Array.isArray(value) && value.length === 0);
  const missing = names.filter((name) => isEmpty(host[name]) && !isEmpty(defaults[name]));
  return Object.fromEntries(missing.map((name) => [name, defaults[name]]));
}

function ulimits(
  asked: HostConfigBody["Ulimits"],
  defaults: HostConfigBody["Ulimits"],
): HostConfigBody["Ulimits"] {
  if (!defaults || defaults.length === 0) return undefined;
  const given = asked ?? [];
  return [...given, ...defaults.filter(({ Name }) => !given.some((each) => each.Name === Name))];
}
