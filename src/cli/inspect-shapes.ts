import type { GoStruct } from "#template";

/** Go's names of the fields whose names in JSON are others. */
const id = { Id: "ID" };

const healthcheck: GoStruct = {
  fields: {
    Test: "list",
    ...{ Interval: "duration", Timeout: "duration" },
    ...{ StartPeriod: "duration", StartInterval: "duration" },
  },
};

const configLists = {
  Env: "list",
  Cmd: "list",
  Entrypoint: "list",
  OnBuild: "list",
  Labels: "map",
  Volumes: { mapOf: {} },
  ExposedPorts: { mapOf: {} },
  Healthcheck: healthcheck,
  Shell: "list",
} as const;

const configZeros = {
  ExposedPorts: "map",
  Healthcheck: null,
  ArgsEscaped: false,
  NetworkDisabled: false,
  MacAddress: "",
  StopSignal: "",
  StopTimeout: null,
  Shell: "list",
} as const;

const ports: GoStruct["fields"] = { Ports: { mapOf: { listOf: { names: { HostIp: "HostIP" } } } } };

const hostNames = {
  Dns: "DNS",
  DnsOptions: "DNSOptions",
  DnsSearch: "DNSSearch",
  CpuShares: "CPUShares",
  NanoCpus: "NanoCPUs",
  CpuPeriod: "CPUPeriod",
  CpuQuota: "CPUQuota",
  CpuRealtimePeriod: "CPURealtimePeriod",
  CpuRealtimeRuntime: "CPURealtimeRuntime",
  CpuCount: "CPUCount",
  CpuPercent: "CPUPercent",
} as const;

const hostLists = Object.fromEntries(
  (
    "Binds VolumesFrom CapAdd CapDrop Dns DnsOptions DnsSearch ExtraHosts GroupAdd Links " +
    "SecurityOpt Devices DeviceCgroupRules DeviceRequests BlkioWeightDevice Ulimits " +
    "BlkioDeviceReadBps BlkioDeviceWriteBps BlkioDeviceReadIOps BlkioDeviceWriteIOps " +
    "MaskedPaths ReadonlyPaths Mounts"
  )
    .split(" ")
    .map((name) => [name, "list"] as const),
);

const endpoint: GoStruct = {
  fields: { Links: "list", Aliases: "list", DriverOpts: "map", DNSNames: "list" },
};

/** GET /containers/ID/json as docker's CLI decodes it. */
export const containerShape: GoStruct = {
  names: id,
  fields: {
    Args: "list",
    ExecIDs: "list",
    Mounts: {
      listOf: {
        zeros: { Name: "", Driver: "" },
        order: "Type Name Source Destination Driver Mode RW Propagation".split(" "),
      },
    },
    State: { zeros: { Health: null }, fields: { Health: { fields: { Log: { listOf: {} } } } } },
    GraphDriver: { fields: { Data: "map" } },
    Config: { fields: configLists, zeros: configZeros },
    HostConfig: {
      names: hostNames,
      fields: {
        ...hostLists,
        PortBindings: { mapOf: { listOf: { names: { HostIp: "HostIP" } } } },
        LogConfig: { fields: { Config: "map" } },
        RestartPolicy: {},
        Sysctls: "map",
        Tmpfs: "map",
        StorageOpt: "map",
        Annotations: "map",
      },
      zeros: {
        Sysctls: "map",
        Tmpfs: "map",
        StorageOpt: "map",
        Annotations: "map",
        Mounts: "list",
        Init: null,
      },
    },
    NetworkSettings: {
      fields: {
        ...ports,
        Networks: { mapOf: endpoint },
        SecondaryIPAddresses: "list",
        SecondaryIPv6Addresses: "list",
      },
    },
  },
  zeros: { SizeRw: null, SizeRootFs: null, ImageManifestDescriptor: null },
};

/** GET /images/NAME/json. */
export const imageShape: GoStruct = {
  names: id,
  fields: {
    RepoTags: "list",
    RepoDigests: "list",
    RootFS: { fields: { Layers: "list" } },
    GraphDriver: { fields: { Data: "map" } },
    Metadata: { fields: { LastTagTime: "time" } },
    Config: {
      fields: configLists,
      zeros: { ...configZeros, Env: "list", Cmd: "list" },
      omitEmpty: (
        "User ExposedPorts Env Entrypoint Cmd Volumes WorkingDir Labels StopSignal ArgsEscaped " +
        "Healthcheck OnBuild Shell"
      ).split(" "),
    },
  },
  zeros: {
    Variant: "",
    OsVersion: "",
    VirtualSize: 0,
    Container: "",
    ContainerConfig: null,
    Descriptor: null,
  },
};

/** GET /networks/NAME. */
export const networkShape: GoStruct = {
  names: id,
  fields: {
    Created: "time",
    Labels: "map",
    Options: "map",
    Containers: { mapOf: {} },
    Services: { mapOf: {} },
    IPAM: {
      fields: {
        Config: { listOf: { zeros: { IPRange: "", Gateway: "", AuxAddress: "map" } } },
        Options: "map",
      },
    },
    ConfigFrom: {},
  },
  zeros: { Services: "map", Peers: "list" },
};

/** GET /volumes/NAME. */
export const volumeShape: GoStruct = {
  fields: { Labels: "map", Options: "map", Status: "map" },
  zeros: { ClusterVolume: null, CreatedAt: "", Status: "map", UsageData: null },
};

const api = { ApiVersion: "APIVersion" };

/** What `version --format` is asked of. */
export const versionShape: GoStruct = {
  fields: {
    Client: { names: api, zeros: { Platform: null } },
    Server: {
      names: api,
      fields: { Components: { listOf: { fields: { Details: "map" } } } },
      zeros: { Experimental: false, BuildTime: "", GitCommit: "", GoVersion: "" },
      order: (
        "Platform Components Version ApiVersion MinAPIVersion GitCommit GoVersion Os Arch " +
        "KernelVersion Experimental BuildTime"
      ).split(" "),
    },
  },
};

const none = "list";

/** What `info --format` is asked of: GET /info, and ClientInfo. */
export const infoShape: GoStruct = {
  names: {
    HttpProxy: "HTTPProxy",
    HttpsProxy: "HTTPSProxy",
    CpuCfsPeriod: "CPUCfsPeriod",
    CpuCfsQuota: "CPUCfsQuota",
  },
  fields: {
    DriverStatus: none,
    SecurityOptions: none,
    Labels: none,
    Warnings: none,
    GenericResources: none,
    CDISpecDirs: none,
    Runtimes: { mapOf: {} },
    Plugins: { fields: { Volume: none, Network: none, Authorization: none, Log: none } },
    RegistryConfig: {
      fields: { IndexConfigs: { mapOf: {} }, InsecureRegistryCIDRs: none, Mirrors: none },
    },
    Swarm: { fields: { RemoteManagers: none } },
    ClientInfo: { fields: { Plugins: none, Warnings: none } },
  },
  zeros: { ServerErrors: none, Warnings: none, ID: "", HttpProxy: "", HttpsProxy: "", NoProxy: "" },
};

/** An event. */
export const eventShape: GoStruct = {
  fields: { Actor: { fields: { Attributes: "map" } } },
};
