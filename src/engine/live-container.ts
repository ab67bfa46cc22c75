import type { ContainerId } from "#base";
import type { ExitRecord } from "#helper";
import type { Fd } from "#kernel";
import type { ContainerCgroup } from "#runtime";
import type { Sandbox } from "./sandbox.ts";

/** A container that runs, as this engine process holds it: nothing here outlives the process. */
export interface LiveContainer {
  readonly id: ContainerId;
  readonly pid: number;
  readonly startTime: bigint;
  readonly pidfd: Fd;
  readonly cgroup: ContainerCgroup;
  readonly sandbox: Sandbox;
  /** The monitor's word on how it ended; never rejects. */
  readonly exited: Promise<ExitRecord>;
  /** Its end is in the database, and all output has been delivered to the log. */
  readonly recorded: Promise<void>;
  /** Nothing of this run is left: it may start anew. */
  readonly settled: Promise<void>;
}
