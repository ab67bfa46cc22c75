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
import type { LinkCounters } from "./link-counters.ts";

/**
 * The tasks of one engine. A task is one run of a container: its first process, the
 * processes started from that, and the monitor that holds its streams and exit status.
 *
 *     create -> start -> exited -> released -> remove
 *
 * `create` makes all that the program needs and stops short of running it, so that a
 * client can attach before its first byte; `start` lets it run. From then on the task
 * depends on no engine process: a later one finds it by `adopt`.
 *
 * A crash of the engine leaves: before `start` nothing that runs, since the task ends with
 * the process that created it; after `start` a task that goes on and can be adopted, or the
 * exit record of one that ended meanwhile, which is on disk before anything learns of the end.
 * Ids are the caller's and name at most one task at a time.
 */
export interface Tasks {
  /** The abilities of this machine, which limit what a configuration may ask for. */
  readonly machine: Machine;
  /**
   * The plan that `create` carries out for the same input, byte for byte. Changes nothing
   * and opens nothing: neither the namespaces that are joined nor the root need exist yet.
   */
  plan(input: TaskInput, options?: PlanOptions): PlannedTask;
  /**
   * Makes a task that waits for `start`, after removing what an ended task of that id left. After a
   * fault nothing is left; the fault of a launch has `stage` and `errno`. `planned` is the result
   * of `plan` for the same input, paths of namespaces aside: the task is not compiled again then.
   */
  create(input: TaskInput, planned?: PlannedTask): Promise<Task>;
  /**
   * A running task that an earlier engine process started; undefined when it has ended or another
   * process has its pid.
   */
  adopt(known: KnownTask): Promise<Task | undefined>;
  /**
   * The end of a task, as its monitor recorded it; kept until `remove` or the next `create`.
   * Undefined while it runs.
   */
  exitRecord(id: string): Promise<TaskExit | undefined>;
  /** Ends a task and forgets it; does nothing for an id that is unknown. */
  remove(id: string, options?: { readonly keepExitRecord?: boolean }): Promise<void>;
  /**
   * Removes all tasks except the ones named, and the leftovers of execs that ended. Faults are
   * logged.
   */
  sweep(keep: ReadonlySet<string>): Promise<void>;
}

/** A container to run once. */
export interface TaskInput {
  /** 1 to 64 letters and digits, of which the first 32 are unlike those of any other task. */
  readonly id: string;
  /** A namespace with a `path` is joined; the path is opened by `create` and need not last. */
  readonly spec: OciSpec;
  /** In place of the engine's own: the parent of the task's cgroup (`parseCgroupParent`). */
  readonly cgroupParent?: string;
  /** Mounted as the root, in place of `spec.root.path`. */
  readonly root: Mount;
  readonly stdio: TaskStdio;
  /**
   * The json-file log. `maxSize` 0 is unlimited; `maxFiles` counts the current one. Rotated files,
   * and `.gz` of them, move one place on with each rotation.
   */
  readonly log?: {
    readonly path: string;
    readonly maxSize: bigint;
    readonly maxFiles: number;
    /** The text of a JSON object, which each line has as `attrs`; at most 32 KiB. */
    readonly attributes?: string;
  };
  /** Process 1 is a reaper and the program its child. */
  readonly init: boolean;
  /**
   * Instead of a program: `start` makes the namespaces and mounts, and they are held until the task
   * is killed. No devices are made in its root, and `spec.process` is left out.
   */
  readonly sandbox?: boolean;
}

/** The standard streams of a process, and the size of its terminal in characters. */
export interface TaskStdio {
  readonly mode: "pty" | "pipes" | "null";
  /** Keep a standard input that attached clients write to; otherwise it is /dev/null. */
  readonly stdin: boolean;
  /** Close standard input for good once the first attached client's input ends. */
  readonly stdinOnce: boolean;
  readonly rows?: number;
  readonly columns?: number;
}

/** How to plan for a host that is not ready yet. */
export interface PlanOptions {
  /** The kind that a bind's source will have; by default the source is looked at and must exist. */
  readonly kindOf?: (path: string) => "directory" | "file";
}

/** The plan as `create` would send it, in the encoding of the launcher. */
export interface PlannedTask {
  readonly plan: Uint8Array;
}

/** A task as it was recorded; these three together name it for good. */
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
  /** 0 when the monitor ended first and the time is unknown. */
  readonly finishedAt: bigint;
  /** Why the program never ran; stage "monitor" when the monitor ended without a word. */
  readonly error?: { readonly stage: string; readonly errno: number; readonly message: string };
}

/**
 * A process with its streams: the first one of a task, or one that was added by `exec`.
 *
 * Disposing one that runs only stops watching it: it goes on by itself, and `exited` and
 * `released` then never settle.
 */
export interface TaskProcess extends AsyncDisposable {
  /** As the host counts. */
  readonly pid: number;
  /** Clock ticks since boot: with the pid it names the process for good. */
  readonly startTime: bigint;
  /** Settles once the end is on disk, before `released`. Never rejects. */
  readonly exited: Promise<TaskExit>;
  /** Settles once its mounts and namespaces are no longer held. Never rejects. */
  readonly released: Promise<void>;
  /** Its streams from now on. `unavailable` when it has ended. */
  attach(streams: AttachedStreams): Promise<TaskStreams>;
  /**
   * Sets the size of its terminal in characters; `invalid` without a terminal, `unavailable` when
   * it has ended.
   */
  resize(size: { readonly rows: number; readonly columns: number }): Promise<void>;
  /** Signals this process alone, never another that got its pid; `not_found` when it has ended. */
  kill(signal: number): Promise<void>;
}

/** The streams to attach. */
export interface AttachedStreams {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

/** Destroying both detaches, and the process goes on. Each ends by itself, and neither needs a listener for errors. */
export interface TaskStreams {
  /** Bytes are dropped when the input is not attached. Closes when the process ends, at the latest. */
  readonly input: Writable;
  /** Docker's 8-byte framed streams of pipes, or a terminal's raw bytes. */
  readonly output: Readable;
}

/**
 * A container's run: its first process, and power over all others in it.
 *
 * Disposing before `start`, or after a `start` that failed, ends the process and leaves
 * nothing of it. What is attached before `start` misses nothing.
 */
export interface Task extends TaskProcess {
  readonly id: string;
  /**
   * Lets the program run; settles once it does. A fault has `stage` and `errno`, and then all is
   * cleaned up.
   */
  start(): Promise<void>;
  /** Settles once the kernel has killed a process of the task for lack of memory; otherwise never. */
  readonly outOfMemory: Promise<void>;
  /** The log while the task writes it; `unavailable` when it has ended. */
  openLog(): Promise<TaskLog>;
  /**
   * Sends SIGKILL to every process of the task; settles when all have ended, `timeout` when one
   * stays.
   */
  killAll(): Promise<void>;
  /**
   * Runs one more program, and settles once it runs. A fault has `stage` and `errno`, and nothing is
   * left then; `conflict` when the task has ended.
   */
  exec(input: ExecInput): Promise<StartedExec>;
  /** The pids on this host of all its processes that have started, including those of execs. */
  pids(): Promise<readonly number[]>;
  /**
   * Changes limits; a field that is absent keeps its limit. Gives warnings; `conflict` when more is
   * used than the new limit allows.
   */
  update(resources: Omit<OciResources, "devices">): Promise<readonly string[]>;
  /** Its usage now; `conflict` when it has ended. */
  stats(): Promise<TaskStats>;
  /** Stops all its processes where they are, or lets them go on; settles when all have. */
  freeze(frozen: boolean): Promise<void>;
  /** A namespace of it, for others to join; `conflict` when the task has ended. */
  openNamespace(type: OciNamespaceType): Fd;
}

/** The log of a task while that writes it; disposing lets go of it. */
export interface TaskLog extends Disposable {
  /** Settles once the log was rotated since the last call, the first one at once; `unavailable` when the task has ended. */
  rotated(): Promise<void>;
  /**
   * Holds the rotation back until this is disposed of, for a reader that opens the files; a log
   * that grows by much is rotated all the same.
   */
  hold(): Promise<void>;
  /**
   * Other limits from now on, without a line lost but those in rotated files that are too many;
   * `invalid` when it was started by an older version, which cannot.
   */
  limit(to: { readonly maxSize: bigint; readonly maxFiles: number }): Promise<void>;
  /** Puts PATH.gz in the place of the rotated file of that inode, under its name and ".gz". False when that is gone. */
  replace(inode: bigint): Promise<boolean>;
}

/** A process to add to a task. */
export interface ExecInput {
  /** As a task's; execs have ids of their own. */
  readonly id: string;
  /** The same object again, as for a probe, is not compiled again: it comes with the same filter and `stdio`. */
  readonly process: OciProcess;
  /** The filter of the task, which does not keep it. */
  readonly seccomp?: OciSeccomp;
  readonly stdio: TaskStdio;
  /** What to attach before the program runs. */
  readonly attach?: AttachedStreams;
}

/** A process that was added, and what was to be attached to it. */
export interface StartedExec {
  readonly process: TaskProcess;
  readonly streams?: TaskStreams;
}

/** The usage of a task, in the units of Docker's stats; unknown numbers are absent. */
export interface TaskStats extends CgroupStats {
  /** The interfaces that the task sees, but for its loopback: of a network namespace that it shares, all. */
  readonly links: Readonly<Record<string, LinkCounters>>;
}
