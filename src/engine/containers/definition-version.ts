import { defined, Fault } from "#base";
import type { Sent } from "#container";
import type { Definition } from "./container-record.ts";

/** The version of the definitions that this program writes. */
export const currentVersion = 3;

/**
 * A definition of any version as the current one. Version 1, which had no number, kept the
 * configuration with all defaults filled in, under names of the engine's own.
 */
export function upgradeDefinition(stored: { readonly version?: number }): Definition {
  const { version = 1, ...definition } = stored;
  if (version === currentVersion) return definition as Definition;
  // There were no volumes yet.
  if (version === 2) return { ...(definition as Definition), placed: [] };
  if (version === 1) return upgradeFirst(definition as FirstDefinition);
  throw new Fault(
    "unsupported",
    `the database holds a container of version ${version}, and this program knows up to ${currentVersion}: start the version of thimble that wrote it`,
  );
}

interface FirstBind {
  readonly source: string;
  readonly target: string;
  readonly readonly: boolean;
  readonly recursive: boolean;
  readonly propagation?: string;
  readonly createSource: boolean;
}

type FirstConfig = Readonly<Record<string, unknown>> & {
  readonly exposedPorts: readonly string[];
  readonly healthcheck?: { readonly test: readonly string[] };
};

type FirstHost = Readonly<Record<string, unknown>> & {
  readonly binds: readonly FirstBind[];
  readonly tmpfs: readonly { readonly target: string; readonly options: string }[];
  readonly ulimits: readonly {
    readonly name: string;
    readonly soft: number;
    readonly hard: number;
  }[];
  readonly devices: readonly {
    readonly source: string;
    readonly target: string;
    readonly permissions: string;
  }[];
  readonly logDriver: string;
  readonly logOptions: Readonly<Record<string, string>>;
  readonly consoleSize?: { readonly rows: number; readonly columns: number };
};

type FirstDefinition = Omit<Definition, "sent" | "imageDefaults" | "placed"> & {
  readonly config: FirstConfig;
  readonly host: FirstHost;
  readonly argv: readonly string[];
};

/** Names that differ from Docker's in more than their first letter. */
const renamed: Readonly<Record<string, string>> = { utsMode: "UTSMode" };

function capitalized(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      renamed[name] ?? `${name.charAt(0).toUpperCase()}${name.slice(1)}`,
      value,
    ]),
  );
}

function upgradeFirst({ config, host, argv: _, ...rest }: FirstDefinition): Definition {
  const { exposedPorts, volumes: _volumes, healthcheck, ...plainConfig } = config;
  const { binds, tmpfs, ulimits, devices, logDriver, logOptions, consoleSize, ...plainHost } = host;
  const HostConfig = {
    ...capitalized(plainHost),
    Binds: binds.filter((bind) => bind.createSource).map(bindText),
    Mounts: binds.filter((bind) => !bind.createSource).map(bindMount),
    Tmpfs: Object.fromEntries(tmpfs.map(({ target, options }) => [target, options])),
    Ulimits: ulimits.map(({ name, soft, hard }) => ({ Name: name, Soft: soft, Hard: hard })),
    Devices: devices.map(({ source, target, permissions }) => ({
      PathOnHost: source,
      PathInContainer: target,
      CgroupPermissions: permissions,
    })),
    LogConfig: { Type: logDriver, Config: logOptions },
    ...defined({ ConsoleSize: consoleSize && [consoleSize.rows, consoleSize.columns] }),
  };
  const Config = {
    ...capitalized(plainConfig),
    ExposedPorts: Object.fromEntries(exposedPorts.map((port) => [port, {}])),
    ...defined({ Healthcheck: healthcheck && { Test: healthcheck.test } }),
  };
  return { ...rest, sent: { Config, HostConfig } as Sent, imageDefaults: {}, placed: [] };
}

function bindText(bind: FirstBind): string {
  const mode = [bind.readonly ? "ro" : "", bind.propagation ?? ""].filter(Boolean).join(",");
  return `${bind.source}:${bind.target}${mode && `:${mode}`}`;
}

function bindMount(bind: FirstBind): object {
  return {
    Type: "bind",
    Source: bind.source,
    Target: bind.target,
    ReadOnly: bind.readonly,
    BindOptions: { Propagation: bind.propagation ?? "", NonRecursive: !bind.recursive },
  };
}
