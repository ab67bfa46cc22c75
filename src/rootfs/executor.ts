import type { Mount } from "#kernel";

/**
 * Runs one program on a root file system inside a container of our own that is
 * listed nowhere. `rootfs` asks for it, `engine` provides it, `main` connects them.
 */
export interface Executor {
  /**
   * Runs to the end and returns how it ended. Output arrives line by line.
   * Cancelling kills everything the program started. Never leaves a mount, a
   * process or a cgroup behind.
   */
  execute(task: ExecutorTask): Promise<{ readonly exitCode: number }>;
}

/** A program to run, and the files it may touch. */
export interface ExecutorTask {
  /** The root file system, writable. */
  readonly root: Mount;
  /** Further mounts, in order, targets absolute inside the root. */
  readonly mounts: readonly {
    readonly source: string;
    readonly target: string;
    readonly readonly: boolean;
  }[];
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** `none` by default. */
  readonly network?: "none" | "host" | "bridge";
  /**
   * Lets fsync(2) and similar calls succeed without doing anything, by seccomp. For a tree
   * that is discarded if the machine goes down; an executor may ignore it.
   */
  readonly suppressSync?: boolean;
  readonly onOutput?: (stream: "stdout" | "stderr", line: string) => void;
  readonly signal?: AbortSignal;
}
