/** The engine's answers about containers, named and spelled as in Docker's API. */

/** 201 of POST /containers/create. */
export interface ContainerCreateResponse {
  readonly Id: string;
  readonly Warnings: readonly string[];
}

/**
 * `State` of an inspected container. Docker's flags overlap: a paused container is `Running` too.
 */
export interface ContainerState {
  readonly Status: string;
  readonly Running: boolean;
  readonly Paused: boolean;
  readonly Restarting: boolean;
  readonly OOMKilled: boolean;
  readonly Dead: boolean;
  /** As the host counts; 0 while it does not run. */
  readonly Pid: number;
  readonly ExitCode: number;
  readonly Error: string;
  /** RFC 3339; "0001-01-01T00:00:00Z" when never. */
  readonly StartedAt: string;
  readonly FinishedAt: string;
  /** Of a container with a health check. */
  readonly Health?: ContainerHealth;
}

/** What the latest probes of a container found. */
export interface ContainerHealth {
  readonly Status: "starting" | "healthy" | "unhealthy";
  readonly FailingStreak: number;
  readonly Log: readonly {
    readonly Start: string;
    readonly End: string;
    readonly ExitCode: number;
    readonly Output: string;
  }[];
}

/** One of the `Mounts` of a container, as the engine made it. */
export interface MountPoint {
  readonly Type: "bind" | "image" | "tmpfs" | "volume";
  readonly Name?: string;
  readonly Source: string;
  readonly Destination: string;
  readonly Driver?: string;
  readonly Mode: string;
  readonly RW: boolean;
  readonly Propagation: string;
}

/** The place of a container in one network; empty strings and 0 until it runs. */
export interface EndpointSettings {
  readonly IPAMConfig: object | null;
  readonly Links: readonly string[] | null;
  readonly Aliases: readonly string[] | null;
  readonly MacAddress: string;
  readonly DriverOpts: Readonly<Record<string, string>> | null;
  readonly GwPriority: number;
  readonly NetworkID: string;
  readonly EndpointID: string;
  readonly Gateway: string;
  readonly IPAddress: string;
  readonly IPPrefixLen: number;
  readonly IPv6Gateway: string;
  readonly GlobalIPv6Address: string;
  readonly GlobalIPv6PrefixLen: number;
  readonly DNSNames: readonly string[] | null;
}

/** `Config` of an inspected container: the client's, completed with the image's. */
export interface ContainerConfig {
  readonly Hostname: string;
  readonly Domainname: string;
  readonly User: string;
  readonly AttachStdin: boolean;
  readonly AttachStdout: boolean;
  readonly AttachStderr: boolean;
  readonly ExposedPorts?: Readonly<Record<string, object>>;
  readonly Tty: boolean;
  readonly OpenStdin: boolean;
  readonly StdinOnce: boolean;
  readonly Env: readonly string[];
  readonly Cmd: readonly string[] | null;
  readonly Image: string;
  readonly Volumes: Readonly<Record<string, object>> | null;
  readonly WorkingDir: string;
  readonly Entrypoint: readonly string[] | null;
  readonly OnBuild: null;
  readonly Labels: Readonly<Record<string, string>>;
  readonly StopSignal?: string;
  readonly StopTimeout?: number;
}

/** 200 of GET /containers/ID/json. */
export interface ContainerInspect {
  readonly Id: string;
  readonly Created: string;
  readonly Path: string;
  readonly Args: readonly string[];
  readonly State: ContainerState;
  readonly Image: string;
  readonly ResolvConfPath: string;
  readonly HostnamePath: string;
  readonly HostsPath: string;
  readonly LogPath: string;
  /** With the leading slash. */
  readonly Name: string;
  readonly RestartCount: number;
  readonly Driver: string;
  readonly Platform: string;
  readonly MountLabel: string;
  readonly ProcessLabel: string;
  readonly AppArmorProfile: string;
  readonly ExecIDs: readonly string[] | null;
  readonly HostConfig: HostConfigInspect;
  readonly GraphDriver: {
    readonly Data: Readonly<Record<string, string>>;
    readonly Name: string;
  };
  /** With `size=1` only: bytes that the container wrote, and those together with its image's. */
  readonly SizeRw?: number;
  readonly SizeRootFs?: number;
  readonly Mounts: readonly MountPoint[];
  readonly Config: ContainerConfig;
  readonly NetworkSettings: NetworkSettings;
  /** Ours: of a container whose log goes to a receiver. */
  readonly LogShipping?: {
    readonly Driver: string;
    readonly Receiver: string;
    readonly ShippedLines: number;
    /** Rotated away before the receiver took them. */
    readonly DroppedLines: number;
    /** Why the receiver takes nothing now, or "". */
    readonly Error: string;
  };
}

/** HostConfig with every key that Docker shows; keys of options that thimble lacks hold their zero values. */
export type HostConfigInspect = Readonly<Record<string, unknown>> & {
  readonly Binds: readonly string[] | null;
  readonly AutoRemove: boolean;
  readonly NetworkMode: string;
  readonly Privileged: boolean;
  readonly Memory: number;
  readonly NanoCpus: number;
};

/** Where ports of a container are published, by "80/tcp". */
export type PublishedPorts = Readonly<
  Record<string, readonly { readonly HostIp: string; readonly HostPort: string }[]>
>;

/** 200 of POST /thimble/v1/containers/ID/ports, and of its removal: what is published now, or no longer. */
export interface PortsChangeResponse {
  readonly Ports: PublishedPorts;
}

/**
 * `NetworkSettings` of an inspected container: the fields on top repeat those of the default
 * bridge.
 */
export interface NetworkSettings {
  readonly Bridge: string;
  readonly SandboxID: string;
  readonly SandboxKey: string;
  /** By "80/tcp"; null for a port that is only exposed. */
  readonly Ports: Readonly<Record<string, PublishedPorts[string] | null>>;
  readonly EndpointID: string;
  readonly Gateway: string;
  readonly IPAddress: string;
  readonly IPPrefixLen: number;
  readonly MacAddress: string;
  readonly Networks: Readonly<Record<string, EndpointSettings>>;
  readonly [key: string]: unknown;
}

/** One member of GET /containers/json. */
export interface ContainerSummary {
  readonly Id: string;
  readonly Names: readonly string[];
  readonly Image: string;
  readonly ImageID: string;
  readonly Command: string;
  /** Seconds since the epoch. */
  readonly Created: number;
  readonly Ports: readonly {
    readonly IP?: string;
    readonly PrivatePort: number;
    readonly PublicPort?: number;
    readonly Type: string;
  }[];
  /** With `size=1` only: bytes that the container wrote, and those together with its image's. */
  readonly SizeRw?: number;
  readonly SizeRootFs?: number;
  readonly Labels: Readonly<Record<string, string>>;
  /** With `usage=1`, which is thimble's own. */
  readonly Usage?: ContainerUsage;
  readonly State: string;
  /** "Up 3 minutes", "Exited (0) 2 days ago". */
  readonly Status: string;
  readonly HostConfig: { readonly NetworkMode: string };
  readonly NetworkSettings: { readonly Networks: Readonly<Record<string, EndpointSettings>> };
  readonly Mounts: readonly MountPoint[];
}

/** How a container fares, in a list. */
export interface ContainerUsage {
  /** "healthy", "unhealthy", "starting"; "" without a health check or a run. */
  readonly Health: string;
  readonly RestartCount: number;
  /** Bytes without the page cache that the kernel gives back first; null when it does not run. */
  readonly Memory: number | null;
}

/** 200 of POST /containers/ID/wait; `Error` when the container could not be waited for. */
export interface ContainerWaitResponse {
  readonly StatusCode: number;
  readonly Error?: { readonly Message: string };
}

/** 200 of GET /containers/ID/top: the columns of ps(1), and a row for each process. */
export interface ContainerTopResponse {
  readonly Titles: readonly string[];
  readonly Processes: readonly (readonly string[])[];
}

/** 200 of GET /thimble/v1/containers/{id}/diagnosis. */
export interface ContainerDiagnosis {
  readonly ImageExists: boolean;
  readonly StoppedByUser: boolean;
  /** The first word of its command. */
  readonly Program: string;
  /** Where that is in the container; "" when it is nowhere. */
  readonly Path: string;
  /** What would keep the program from being run; most important first. */
  readonly Problems: readonly {
    /** "not-found", "missing-library", "wrong-architecture" and so on. */
    readonly Kind: string;
    readonly Message: string;
    readonly Advice: string;
  }[];
}

/** 200 of POST /containers/{id}/update. */
export interface ContainerUpdateResponse {
  readonly Warnings: readonly string[] | null;
}

/** 200 of POST /containers/prune; `SpaceReclaimed` in bytes. */
export interface ContainersPruneResponse {
  readonly ContainersDeleted: readonly string[] | null;
  readonly SpaceReclaimed: number;
}

/** 201 of POST /containers/ID/exec; the id is for /exec/ID/start. */
export interface ExecCreateResponse {
  readonly Id: string;
}

/** 200 of GET /exec/ID/json. `Pid` is 0 until the process runs. */
export interface ExecInspect {
  readonly ID: string;
  readonly Running: boolean;
  /** Null while it runs or has not been started. */
  readonly ExitCode: number | null;
  readonly ProcessConfig: {
    readonly tty: boolean;
    readonly entrypoint: string;
    readonly arguments: readonly string[];
    readonly privileged: boolean;
    readonly user?: string;
  };
  readonly OpenStdin: boolean;
  readonly OpenStderr: boolean;
  readonly OpenStdout: boolean;
  readonly CanRemove: boolean;
  readonly ContainerID: string;
  readonly DetachKeys: string;
  readonly Pid: number;
}

/** A message of GET /containers/{id}/stats. A container that does not run has zeros and no times. */
export interface ContainerStats {
  readonly name?: string;
  readonly id?: string;
  /** RFC 3339, as `preread`, which is the time of `precpu_stats`. */
  readonly read: string;
  readonly preread: string;
  readonly pids_stats: { readonly current?: number; readonly limit?: number };
  readonly blkio_stats: Readonly<Record<BlkioField, readonly BlkioCount[] | null>>;
  /** Of Windows alone, as `storage_stats`. */
  readonly num_procs: number;
  readonly storage_stats: Readonly<Record<string, never>>;
  readonly cpu_stats: CpuStats;
  readonly precpu_stats: CpuStats;
  readonly memory_stats: {
    readonly usage?: number;
    readonly max_usage?: number;
    readonly stats?: Readonly<Record<string, number>>;
    readonly limit?: number;
  };
  readonly networks?: Readonly<Record<string, InterfaceStats>>;
}

export type BlkioField =
  | "io_service_bytes_recursive"
  | "io_serviced_recursive"
  | "io_queue_recursive"
  | "io_service_time_recursive"
  | "io_wait_time_recursive"
  | "io_merged_recursive"
  | "io_time_recursive"
  | "sectors_recursive";

/** What was done on one block device: bytes or operations, by the field that it is in. */
export interface BlkioCount {
  readonly major: number;
  readonly minor: number;
  readonly op: string;
  readonly value: number;
}

/** Times in nanoseconds. */
export interface CpuStats {
  readonly cpu_usage: {
    readonly total_usage: number;
    readonly percpu_usage?: readonly number[];
    readonly usage_in_kernelmode: number;
    readonly usage_in_usermode: number;
  };
  /** Of the whole machine, busy or idle. */
  readonly system_cpu_usage?: number;
  readonly online_cpus?: number;
  readonly throttling_data: {
    readonly periods: number;
    readonly throttled_periods: number;
    readonly throttled_time: number;
  };
}

/** What went over a network interface since it was made, as seen from inside. */
export interface InterfaceStats {
  readonly rx_bytes: number;
  readonly rx_packets: number;
  readonly rx_errors: number;
  readonly rx_dropped: number;
  readonly tx_bytes: number;
  readonly tx_packets: number;
  readonly tx_errors: number;
  readonly tx_dropped: number;
}
