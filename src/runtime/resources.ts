/** One line of the device allow list: "a" is every device, -1 is any number, access is of the letters "rwm". */
export interface DeviceRule {
  readonly allow: boolean;
  readonly type: "a" | "b" | "c";
  readonly major: number;
  readonly minor: number;
  readonly access: string;
}

/**
 * What a container's cgroups limit. Bytes, microseconds and Docker's own numbers;
 * an absent field, and 0 except for swappiness, is not limited.
 */
export interface Resources {
  readonly memory?: number;
  /** Memory and swap together, as Docker counts; -1: unlimited swap. */
  readonly memorySwap?: number;
  readonly memoryReservation?: number;
  /** 0 to 100; v1 only. */
  readonly memorySwappiness?: number;
  readonly oomKillDisable?: boolean;
  /** 2 to 262144, in the v1 scale where 1024 is usual. */
  readonly cpuShares?: number;
  readonly cpuQuota?: number;
  readonly cpuPeriod?: number;
  /** Lists as "0-3,7". */
  readonly cpusetCpus?: string;
  readonly cpusetMems?: string;
  /** 0 or below: unlimited. */
  readonly pidsLimit?: number;
  /** 10 to 1000. */
  readonly blkioWeight?: number;
  /** In order; the last rule that matches decides. Absent: no device is restricted. */
  readonly devices?: readonly DeviceRule[];
}
