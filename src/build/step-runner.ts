import type { Mount } from "#kernel";

/**
 * Runs a program in a root file system, in a container that is listed nowhere. The build asks for
 * it, the engine provides it.
 */
export interface StepRunner {
  /**
   * Runs to the end and tells how it ended. Cancelling kills all that the program has started, and
   * throws `canceled`. Never leaves a mount, a process or a cgroup behind; after a crash the next
   * start removes them.
   */
  run(task: StepTask): Promise<StepExit>;
  /** The ids that USER's words mean in the root of a snapshot; "" is root. */
  ownerOf(snapshot: string, user: string): Promise<{ readonly uid: number; readonly gid: number }>;
}

/** How a program ended. */
export interface StepExit {
  /** As a shell gives it: 128 and the signal's number after a signal. */
  readonly exitCode: number;
  /** 0 when it ended by itself. */
  readonly signal: number;
  readonly oomKilled: boolean;
}

/** A program to run. */
export interface StepTask {
  /** The key of an active snapshot that nobody has mounted: its root. */
  readonly snapshot: string;
  readonly argv: readonly string[];
  /** "NAME=value". */
  readonly env: readonly string[];
  /** Absolute. */
  readonly cwd: string;
  /** As USER has it, resolved in the root; "" for root. */
  readonly user: string;
  /** In order; targets are absolute, in the root. */
  readonly mounts: readonly StepMount[];
  /** "default", "none", "host" or the name of a network. */
  readonly network: string;
  /** "name:address". */
  readonly hosts: readonly string[];
  readonly hostname: string;
  /** All that a privileged container may do. */
  readonly isPrivileged: boolean;
  readonly limits: StepLimits;
  /** Raw pieces of standard output (1) and standard error (2). */
  readonly onOutput: (stream: 1 | 2, data: Uint8Array) => void;
  readonly signal: AbortSignal;
}

/** Limits of a step; what is absent is not limited, or as a container has it. */
export interface StepLimits {
  /** Bytes of /dev/shm. */
  readonly shmSize?: number | undefined;
  readonly ulimits?: readonly {
    readonly name: string;
    readonly soft: number;
    readonly hard: number;
  }[];
  /** Bytes. */
  readonly memory?: number | undefined;
  /** Bytes of memory and swap; -1: not limited. */
  readonly memorySwap?: number | undefined;
  readonly cpuShares?: number | undefined;
  /** Microseconds. */
  readonly cpuPeriod?: number | undefined;
  readonly cpuQuota?: number | undefined;
  readonly cpusetCpus?: string | undefined;
  readonly cpusetMems?: string | undefined;
  readonly cgroupParent?: string | undefined;
}

/** What a step sees beside its root. */
export type StepMount =
  | {
      readonly type: "tree";
      /** Mounts that make a file system, or a directory of the engine's. */
      readonly source: readonly Mount[] | string;
      /** In the source, whose links are followed within it; "/" for all of it. */
      readonly path: string;
      readonly target: string;
      readonly isReadOnly: boolean;
    }
  | { readonly type: "tmpfs"; readonly target: string; readonly size?: number | undefined }
  | {
      /** A file in memory. */
      readonly type: "file";
      readonly data: Uint8Array;
      readonly target: string;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    }
  | {
      /** A socket of the host. */
      readonly type: "socket";
      readonly path: string;
      readonly target: string;
    };
