import type { Readable, Writable } from "node:stream";
import type { Platform } from "#image";
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
  /**
   * Opens the place of a step for programs that somebody chooses, until it is disposed of; then all
   * that runs in it is killed. After a crash the next start removes it, as with `run`.
   */
  open(place: StepPlace): Promise<StepSandbox>;
  /** Why programs for a platform cannot run here, and what to do about it; undefined when they can. */
  lack(platform: Platform): string | undefined;
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

/** Where a step runs: its root, and what it sees beside that. */
export interface StepPlace {
  /** The key of an active snapshot that nobody has mounted: its root. */
  readonly snapshot: string;
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
}

/** A program, and whose it is. */
export interface StepProgram {
  readonly argv: readonly string[];
  /** "NAME=value". */
  readonly env: readonly string[];
  /** Absolute. */
  readonly cwd: string;
  /** As USER has it, resolved in the root; "" for root. */
  readonly user: string;
}

/** A program to run in its place. */
export interface StepTask extends StepPlace, StepProgram {
  /** Raw pieces of standard output (1) and standard error (2). */
  readonly onOutput: (stream: 1 | 2, data: Uint8Array) => void;
  readonly signal: AbortSignal;
}

/** A program that somebody talks to. */
export interface SandboxProgram extends StepProgram {
  readonly tty: boolean;
  readonly stdin: boolean;
  /** Of the terminal, in characters. */
  readonly size?: TerminalSize | undefined;
}

/** The size of a terminal in characters. */
export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

/** The place of a step, ready for programs. */
export interface StepSandbox extends AsyncDisposable {
  /**
   * Starts a program. With the end of the first one all others end, and the sandbox takes no more
   * (`conflict`). A fault of a program that cannot be started has `stage` and `errno`.
   */
  start(program: SandboxProgram): Promise<SandboxProcess>;
}

/** A program in a sandbox; disposing lets go of its streams. */
export interface SandboxProcess extends AsyncDisposable {
  readonly input: Writable;
  /** Docker's framed stream, or a terminal's bytes. */
  readonly output: Readable;
  readonly tty: boolean;
  readonly ended: Promise<StepExit>;
  /** Does nothing without a terminal. */
  resize(size: TerminalSize): Promise<void>;
  /** By its number; does nothing once it has ended. */
  kill(signal: number): Promise<void>;
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
