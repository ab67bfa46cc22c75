import { logDrivers } from "#container";
import type { EngineSettings } from "#engine";
import { API_VERSION, MIN_API_VERSION, type SystemInfo, type SystemVersion } from "#wire";
import type { ApiContext } from "./context.ts";
import type { Exchange } from "./exchange.ts";
import type { Route } from "./router.ts";
import { timeText } from "./time-text.ts";

/** /_ping, /version and /info, and OPTIONS of every path. */
export function systemRoutes(context: ApiContext): readonly Route[] {
  return [
    { method: "GET", pattern: "/_ping", handle: (exchange) => ping(context, exchange) },
    { method: "HEAD", pattern: "/_ping", handle: (exchange) => ping(context, exchange) },
    { method: "GET", pattern: "/version", handle: (exchange) => version(context, exchange) },
    { method: "GET", pattern: "/info", handle: (exchange) => info(context, exchange) },
    ...["/", "/*path"].map((pattern) => ({
      method: "OPTIONS" as const,
      pattern,
      handle: (exchange: Exchange) => exchange.sendEmpty(200),
    })),
  ];
}

/** By Builder-Version clients choose how they build: 2 is BuildKit. */
function ping({ buildkit }: ApiContext, exchange: Exchange): void {
  exchange.sendText(exchange.request.method === "HEAD" ? "" : "OK", {
    "Cache-Control": "no-cache, no-store, must-revalidate",
    Pragma: "no-cache",
    ...(buildkit && { "Builder-Version": "2" }),
    Swarm: "inactive",
  });
}

/** Go's names for architectures, which Docker uses. */
function goArchitecture(): string {
  return { x64: "amd64", ia32: "386" }[process.arch as string] ?? process.arch;
}

async function version({ engine, version }: ApiContext, exchange: Exchange): Promise<void> {
  const { kernelVersion } = await engine.info();
  const arch = goArchitecture();
  const answer: SystemVersion = {
    Platform: { Name: "thimble" },
    Components: [
      {
        Name: "Engine",
        Version: version,
        Details: {
          ApiVersion: API_VERSION,
          Arch: arch,
          BuildTime: "",
          Experimental: "false",
          GitCommit: "",
          GoVersion: "",
          KernelVersion: kernelVersion,
          MinAPIVersion: MIN_API_VERSION,
          Os: "linux",
        },
      },
    ],
    Version: version,
    ApiVersion: API_VERSION,
    MinAPIVersion: MIN_API_VERSION,
    GitCommit: "",
    GoVersion: "",
    Os: "linux",
    Arch: arch,
    KernelVersion: kernelVersion,
    BuildTime: "",
  };
  exchange.sendJson(200, answer);
}

/** Docker's first overlay driver is gone; clients know the name of its second one. */
function dockerDriver(name: string): string {
  return name === "overlay" ? "overlay2" : name;
}

/** The registries as dockerd has them: Docker Hub with its mirrors, and those that need no certificate. */
function registryConfig({ insecureRegistries, registryMirrors }: EngineSettings) {
  const hub = { Mirrors: registryMirrors, Name: "docker.io", Official: true, Secure: true };
  const insecure = insecureRegistries.filter((name) => !name.includes("/"));
  const others = insecure.map(
    (Name) => [Name, { Mirrors: [], Name, Official: false, Secure: false }] as const,
  );
  return {
    IndexConfigs: Object.fromEntries([["docker.io", hub], ...others]),
    InsecureRegistryCIDRs: ["::1/128", "127.0.0.0/8"],
    Mirrors: registryMirrors.length > 0 ? registryMirrors : null,
  };
}

async function info({ engine, version }: ApiContext, exchange: Exchange): Promise<void> {
  const known = await engine.info();
  const { settings } = known;
  const { running, paused, stopped } = known.containers;
  const answer: SystemInfo = {
    ID: known.id,
    Containers: running + paused + stopped,
    ContainersRunning: running,
    ContainersPaused: paused,
    ContainersStopped: stopped,
    Images: known.images,
    Driver: dockerDriver(known.storageDriver),
    DriverStatus: [],
    Plugins: {
      Volume: ["local"],
      Network: ["bridge", "host", "null"],
      Authorization:
        settings.authorizationPlugins.length > 0 ? settings.authorizationPlugins : null,
      Log: logDrivers,
    },
    ...(!exchange.has("noBridgeFilters") && { BridgeNfIptables: false, BridgeNfIp6tables: false }),
    MemoryLimit: true,
    SwapLimit: true,
    CpuCfsPeriod: true,
    CpuCfsQuota: true,
    CPUShares: true,
    CPUSet: true,
    PidsLimit: true,
    IPv4Forwarding: true,
    Debug: settings.debug,
    NFd: 0,
    OomKillDisable: known.cgroupVersion === 1,
    NGoroutines: 0,
    SystemTime: timeText(BigInt(Date.now()) * 1_000_000n),
    LoggingDriver: known.loggingDriver,
    CgroupDriver: "cgroupfs",
    CgroupVersion: String(known.cgroupVersion),
    NEventsListener: 0,
    KernelVersion: known.kernelVersion,
    OperatingSystem: known.operatingSystem,
    OSVersion: known.osVersion,
    OSType: "linux",
    Architecture: known.architecture,
    IndexServerAddress: "https://index.docker.io/v1/",
    RegistryConfig: {
      ...(!exchange.has("noForeignLayers") && {
        AllowNondistributableArtifactsCIDRs: null,
        AllowNondistributableArtifactsHostnames: null,
      }),
      ...registryConfig(settings),
    },
    NCPU: known.cpus,
    MemTotal: known.memory,
    GenericResources: null,
    DockerRootDir: known.dataRoot,
    HttpProxy: "",
    HttpsProxy: "",
    NoProxy: "",
    Name: known.name,
    Labels: [...settings.labels],
    ExperimentalBuild: false,
    ServerVersion: version,
    Runtimes: Object.fromEntries(
      ["io.containerd.runc.v2", "runc", "thimble"].map((name) => [name, { path: "thimble" }]),
    ),
    DefaultRuntime: "thimble",
    Swarm: {
      NodeID: "",
      NodeAddr: "",
      LocalNodeState: "inactive",
      ControlAvailable: false,
      Error: "",
      RemoteManagers: null,
    },
    LiveRestoreEnabled: true,
    Isolation: "",
    InitBinary: "thimble-init",
    ContainerdCommit: { ID: "" },
    RuncCommit: { ID: "" },
    InitCommit: { ID: "" },
    SecurityOptions: known.securityOptions,
    Warnings: known.warnings.length > 0 ? known.warnings.map((text) => `WARNING: ${text}`) : null,
  };
  exchange.sendJson(200, answer);
}
