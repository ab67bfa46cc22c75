/**
 * `linux.resources` of an OCI runtime configuration (config-linux.md, "Control groups"), in bytes
 * and microseconds. A field that is absent is not limited; in an update it stays as it is.
 */
export interface OciResources {
  /** In order; the last rule that matches decides. Absent: no device is restricted. */
  readonly devices?: readonly OciDeviceRule[];
  readonly memory?: OciMemory;
  readonly cpu?: OciCpu;
  /** 0 and below: unlimited. */
  readonly pids?: { readonly limit: number };
  readonly blockIO?: OciBlockIO;
  readonly hugepageLimits?: readonly {
    /** "2MB", "1GB": as the kernel names its files. */
    readonly pageSize: string;
    readonly limit: number;
  }[];
  readonly network?: {
    readonly classID?: number;
    readonly priorities?: readonly { readonly name: string; readonly priority: number }[];
  };
  readonly rdma?: Readonly<
    Record<string, { readonly hcaHandles?: number; readonly hcaObjects?: number }>
  >;
  /** v2: file name and the text to be written to it, after everything else. */
  readonly unified?: Readonly<Record<string, string>>;
}

/** One line of the device allow list. */
export interface OciDeviceRule {
  readonly allow: boolean;
  /** "a" and absent: every device. */
  readonly type?: "a" | "b" | "c";
  /** Absent and -1: any. */
  readonly major?: number;
  readonly minor?: number;
  /** Letters of "rwm"; absent: all three. */
  readonly access?: string;
}

export interface OciMemory {
  /** -1: unlimited. */
  readonly limit?: number;
  readonly reservation?: number;
  /** Memory and swap together; -1: unlimited. */
  readonly swap?: number;
  readonly kernel?: number;
  readonly kernelTCP?: number;
  /** 0 to 100; v1 only. */
  readonly swappiness?: number;
  readonly disableOOMKiller?: boolean;
  readonly useHierarchy?: boolean;
  /** Refuses an update to less memory than is used now. */
  readonly checkBeforeUpdate?: boolean;
}

export interface OciCpu {
  /** 2 to 262144, in the v1 scale where 1024 is usual. */
  readonly shares?: number;
  /** Below 0: unlimited. */
  readonly quota?: number;
  readonly burst?: number;
  readonly period?: number;
  readonly realtimeRuntime?: number;
  readonly realtimePeriod?: number;
  /** Lists as "0-3,7". */
  readonly cpus?: string;
  readonly mems?: string;
  /** 1: SCHED_IDLE for all of it. */
  readonly idle?: number;
}

/** Shares and limits of block devices (config-linux.md, "Block IO"). */
export interface OciBlockIO {
  /** 10 to 1000. */
  readonly weight?: number;
  readonly leafWeight?: number;
  readonly weightDevice?: readonly (BlockDevice & {
    readonly weight?: number;
    readonly leafWeight?: number;
  })[];
  readonly throttleReadBpsDevice?: readonly OciThrottle[];
  readonly throttleWriteBpsDevice?: readonly OciThrottle[];
  readonly throttleReadIOPSDevice?: readonly OciThrottle[];
  readonly throttleWriteIOPSDevice?: readonly OciThrottle[];
}

interface BlockDevice {
  readonly major: number;
  readonly minor: number;
}

/** Bytes or operations per second of one block device. */
export interface OciThrottle extends BlockDevice {
  readonly rate: number;
}
