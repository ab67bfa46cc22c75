import { defined, Fault, type LogFormat, type LogLevel, parseBytes } from "#base";
import type { DaemonOptions } from "#cli";
import { type ContainerDefaults, defaultSettings, type EngineSettings } from "#engine";
import { checkNetworkDefaults, type NetworkDefaults } from "#network";
import { isMap } from "./file-key.ts";
import { checkedSettings, type DaemonFile, readDaemonFile } from "./read-file.ts";

/** The flags of the daemon with what its file adds to them. */
export interface DaemonSettings {
  readonly options: DaemonOptions;
  readonly logging: { readonly level: LogLevel; readonly format: LogFormat };
  readonly engine: EngineSettings;
  readonly network: NetworkDefaults;
}

/** Keys of the file with the flags that mean the same. */
const flagOfKey = {
  "data-root": "dataRoot",
  "exec-root": "runRoot",
  "run-root": "runRoot",
  hosts: "hosts",
  group: "group",
  tls: "tls",
  tlsverify: "tlsverify",
  tlscacert: "tlscacert",
  tlscert: "tlscert",
  tlskey: "tlskey",
  debug: "debug",
  "log-level": "logLevel",
  "log-format": "logFormat",
  "metrics-addr": "metricsAddr",
  "layer-compression": "layerCompression",
  "insecure-registries": "insecureRegistries",
  "authorization-plugins": "authorizationPlugins",
} as const satisfies Partial<Record<keyof DaemonFile, keyof DaemonOptions>>;

/**
 * Reads the file at `path` beside the flags. `invalid` when the file is, and in Docker's words when
 * a flag and the file say the same thing. It changes nothing, so that it also validates.
 */
export async function daemonSettings(flags: DaemonOptions, path: string): Promise<DaemonSettings> {
  const given = checkedSettings(flags.settings ?? {});
  const written = readDaemonFile(path, { isNamed: flags.configFile !== undefined });
  refuseTwice(flags, given, written);
  const file = { ...written, ...given };
  const fromFile = Object.fromEntries(
    Object.entries(flagOfKey).flatMap(([key, flag]) => {
      const value = file[key as keyof typeof flagOfKey];
      return value === undefined ? [] : [[flag, value]];
    }),
  );
  const options: DaemonOptions = { ...flags, ...fromFile };
  const network: NetworkDefaults = {
    bip: file.bip,
    fixedCidr: file["fixed-cidr"],
    defaultGateway: file["default-gateway"],
    hasIpv6: file.ipv6,
    bip6: file.bip6,
    fixedCidr6: file["fixed-cidr-v6"],
    defaultGateway6: file["default-gateway-v6"],
    mtu: file.mtu || undefined,
    pools: file["default-address-pools"],
  };
  checkNetworkDefaults(network);
  const { registryMirrors, ...rest } = engineSettings(options, file);
  if (registryMirrors.length > 0) {
    const { parseMirror } = await import("#registry-client");
    for (const mirror of registryMirrors) parseMirror(mirror);
  }
  const logging = {
    level: options.debug ? "debug" : (options.logLevel ?? "info"),
    format: options.logFormat ?? "text",
  } as const;
  return { options, logging, network, engine: { ...rest, registryMirrors } };
}

/** `given` are the settings that flags give in the form of the file. */
function refuseTwice(flags: DaemonOptions, given: DaemonFile, file: DaemonFile): void {
  const fromFlags = [
    ...Object.entries(flagOfKey).map(([key, flag]) => [key, flags[flag]] as const),
    ...Object.entries(given),
  ];
  const twice = fromFlags.flatMap(([key, fromFlag]) => {
    const fromFile = file[key as keyof DaemonFile];
    if (fromFlag === undefined || fromFile === undefined) return [];
    return [`${key}: (from flag: ${shown(fromFlag)}, from file: ${shown(fromFile)})`];
  });
  if (twice.length === 0) return;
  throw new Fault(
    "invalid",
    `the following directives are specified both as a flag and in the configuration file: ${twice.join(", ")}`,
  );
}

/** As Go prints values with %v. */
function shown(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(shown).join(" ")}]`;
  if (!isMap(value)) return String(value);
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `map[${members.map(([key, each]) => `${key}:${shown(each)}`).join(" ")}]`;
}

function engineSettings(options: DaemonOptions, file: DaemonFile): EngineSettings {
  const badLabel = file.labels?.find((label) => !/^[^=]+=/.test(label));
  if (badLabel !== undefined)
    throw new Fault("invalid", `bad attribute format: ${badLabel}; a label is KEY=VALUE`);
  return {
    debug: options.debug ?? false,
    labels: file.labels ?? [],
    log: { Type: file["log-driver"] ?? "json-file", Config: file["log-opts"] ?? {} },
    containers: containerDefaults(file),
    insecureRegistries: options.insecureRegistries ?? [],
    registryMirrors: file["registry-mirrors"] ?? [],
    authorizationPlugins: [...new Set(options.authorizationPlugins)],
    maxDownloads: file["max-concurrent-downloads"] ?? defaultSettings.maxDownloads,
    maxUploads: file["max-concurrent-uploads"] ?? defaultSettings.maxUploads,
  };
}

function containerDefaults(file: DaemonFile): ContainerDefaults {
  const { "default-shm-size": shm } = file;
  const limits = Object.entries(file["default-ulimits"] ?? {});
  return defined({
    ShmSize: typeof shm === "string" ? parseBytes(shm) : shm,
    Ulimits:
      limits.length > 0
        ? limits.map(([Name, { Soft, Hard }]) => ({ Name, Soft, Hard }))
        : undefined,
    Init: file.init,
    Dns: file.dns,
    DnsOptions: file["dns-opts"],
    DnsSearch: file["dns-search"],
  }) as ContainerDefaults;
}
