import type { Readable, Writable } from "node:stream";
import type { Fd, Mount } from "#kernel";
import type {
  CgroupStats,
  Machine,
  OciNamespaceType,
  OciProcess,
  OciResources,
  OciSeccomp,
  OciSpec,
} from "#runtime";

/**
 * The tasks of one engine. A task is one run of a container: its first process, what
 * that has started since, and the monitor that holds its streams and its exit status.
 *
 *     create -> start -> exited -> released -> remove
 *
 * `create` makes all that the program needs and stops short of running it, so that
 * whoever wants to see its first byte can attach; `start` lets it run. From then on the
 * task depends on no engine process: one that comes later finds it by `adopt`.
 *
 * What a crash of the engine leaves behind: before `start` nothing that runs, since the
 * task ends with who created it; after `start` a task that goes on and can be adopted, or
 * the exit record of one that ended meanwhile, which is on disk before anybody is told.
 * Ids are the caller's and name at most one task at a time.
 */
export interface Tasks {
  /** What a configuration may ask for here. */
  readonly machine: Machine;
  /**
   * The plan that `create` carries out for the same input, byte for byte. Changes nothing
   * and opens nothing: neither the namespaces that are joined nor the root need exist yet.
   */
  plan(input: TaskInput, options?: PlanOptions): PlannedTask;
  /**
   * Makes a task that waits for `start`. What an ended task of that id has left is removed
   * first. On a fault nothing is left; that of a launch has `stage` and `errno`.
   */
  create(input: TaskInput): Promise<Task>;
  /** A task that runs, started by an earlier engine process; undefined when it is not that one, or none. */
  adopt(known: KnownTask): Promise<Task | undefined>;
  /** What a task that has ended left; kept until `remove` or the next `create`. */
  exitRecord(id: string): Promise<TaskExit | undefined>;
  /** Ends what is left of a task and forgets it. Again, and for an id that never was, it is harmless. */
  remove(id: string, options?: { readonly keepExitRecord?: boolean }): Promise<void>;
  /** Removes all tasks but the ones named, and what execs that ended have left. Faults are logged. */
  sweep(keep: ReadonlySet<string>): Promise<void>;
}

export interface TaskInput {
  /** 1 to 64 letters and digits, of which the first 32 are unlike those of any other task. */
  readonly id: string;
  /** A namespace with a `path` is joined; the path is opened by `create` and need not last. */
  readonly spec: OciSpec;
  /** Mounted as the root, in place of `spec.root.path`. */
  readonly root: Mount;
  readonly stdio: TaskStdio;
  /** The json-file log. `maxSize` 0 is unlimited; `maxFiles` counts the current one. */
  readonly log?: {
    readonly path: string;
    readonly maxSize: bigint;
    readonly maxFiles: number;
    /** The text of a JSON object, which each line has as `attrs`; at most 32 KiB. */
    readonly attributes?: string;
  };
  /** Process 1 is a reaper and the program its child. */
  readonly init: boolean;
}

export interface TaskStdio {
  readonly mode: "pty" | "pipes" | "null";
  /** Keep a standard input that attached clients write to; otherwise it is /dev/null. */
  readonly stdin: boolean;
  /** Close standard input for good once the first attached client's input ends. */
  readonly stdinOnce: boolean;
  readonly rows?: number;
  readonly columns?: number;
}

export interface PlanOptions {
  /** What a bind's source will be; by default it is looked at and must exist. */
  readonly kindOf?: (path: string) => "directory" | "file";
}

export interface PlannedTask {
  readonly plan: Uint8Array;
  /** What is left out without having been asked for by name. */
  readonly warnings: readonly string[];
}

/** A task as it was recorded: by these three it is told from any other. */
export interface KnownTask {
  readonly id: string;
  readonly pid: number;
  readonly startTime: bigint;
}

/** How a process ended. Times in nanoseconds since the epoch. */
export interface TaskExit {
  readonly id: string;
  /** As a shell gives it: 128 and the signal's number after a signal. */
  readonly exitCode: number;
  /** 0 when it ended by itself. */
  readonly signal: number;
  readonly oomKilled: boolean;
  /** 0 when the program never ran. */
  readonly startedAt: bigint;
  /** 0 when nobody saw the end. */
  readonly finishedAt: bigint;
  /** Why the program never ran; stage "monitor" when the monitor ended without a word. */
  readonly error?: { readonly stage: string; readonly errno: number; readonly message: string };
}

/**
 * A process with its streams: the first one of a task, or one that was added by `exec`.
 *
 * Disposing before `start`, or after a `start` that failed, ends the process and leaves
 * nothing of it. Disposing one that runs only lets go of it: it goes on by itself, and
 * `exited` and `released` never settle then.
 */
export interface TaskProcess extends AsyncDisposable {
  /** On this host. */
  readonly pid: number;
  /** Clock ticks since boot: with the pid it names the process for good. */
  readonly startTime: bigint;
  /** Settles once the end is on disk, and before `released`. Never rejects. */
  readonly exited: Promise<TaskExit>;
  /** Its mounts and namespaces are let go of. Never rejects. */
  readonly released: Promise<void>;
  /** Lets the program run; settles when it does. A fault has `stage` and `errno`, and all is cleaned up. */
  start(): Promise<void>;
  /** Its streams from now on, complete when called before `start`. `unavailable` when it has ended. */
  attach(streams: AttachedStreams): Promise<TaskStreams>;
  /** `invalid` when it has no terminal, `unavailable` when it has ended. */
  resize(size: { readonly rows: number; readonly columns: number }): Promise<void>;
  /** To this process alone, never to one that took over its pid; `not_found` when it has ended. */
  kill(signal: number): Promise<void>;
}

export interface AttachedStreams {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

/** Destroying both detaches, and the process goes on. Each ends by itself, and neither needs a listener for errors. */
export interface TaskStreams {
  /** What is written is dropped when the input is not attached. Closes at the process's end, at the latest. */
  readonly input: Writable;
  /** Docker's 8-byte framed streams of pipes, or a terminal's raw bytes. */
  readonly output: Readable;
}

export interface Task extends TaskProcess {
  readonly id: string;
  /** Settles once the kernel has killed in the task for want of memory; if it never does, never. */
  readonly outOfMemory: Promise<void>;
  /** SIGKILL to every process of the task; settles when none is left, `timeout` when one would not go. */
  killAll(): Promise<void>;
  /** Adds a process that waits for `start`. `conflict` when the task has ended. */
  exec(input: ExecInput): Promise<TaskProcess>;
  /** Of all its processes that have started, those of execs too, on this host. */
  pids(): Promise<readonly number[]>;
  /** Changes limits; what is absent stays. Gives warnings; `conflict` when more is used than the new limit. */
  update(resources: Omit<OciResources, "devices">): Promise<readonly string[]>;
  stats(): Promise<TaskStats>;
  /** Stops all its processes where they are, or lets them go on; settles when they have. */
  freeze(frozen: boolean): Promise<void>;
  /** Its namespace, to be joined by others; `conflict` when the task has ended. */
  openNamespace(type: OciNamespaceType): Fd;
}

export interface ExecInput {
  /** As a task's; execs have ids of their own. */
  readonly id: string;
  readonly process: OciProcess;
  /** The task's filter, which it has not kept. */
  readonly seccomp?: OciSeccomp;
  readonly stdio: TaskStdio;
}

/** What a task uses, in the units of Docker's stats; what is not known is absent. */
export type TaskStats = CgroupStats;
