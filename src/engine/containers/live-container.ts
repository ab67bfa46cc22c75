import { type ContainerId, Fault } from "#base";
import type { Task } from "#task";
import type { Parts } from "../parts.ts";
import { type ContainerRecord, isUp } from "./container-record.ts";
import type { RunPorts } from "./published-ports.ts";
import type { OpenSandbox } from "./sandbox.ts";

/** A container that runs, as this engine process holds it: nothing here outlives the process. */
export interface LiveContainer {
  readonly id: ContainerId;
  readonly task: Task;
  readonly sandbox: OpenSandbox;
  readonly ports: RunPorts;
  /** Looks at its files that are under way: its root stays mounted until they settle. */
  readonly views: Set<Promise<void>>;
  /** Its end is in the database, and all output has been delivered to the log. */
  readonly recorded: Promise<void>;
  /** Nothing of this run is left: it may start anew. */
  readonly settled: Promise<void>;
}

/** The live container of a record, running or paused; one that does not run, or is just ending, is a `conflict`. */
export function requireUp(parts: Parts<"live">, record: ContainerRecord): LiveContainer {
  const live = parts.live.get(record.id);
  if (record.state.status === "restarting") {
    throw new Fault(
      "conflict",
      `Container ${record.id} is restarting, wait until the container is running`,
      { about: record.name },
    );
  }
  if (!live || !isUp(record.state)) {
    throw new Fault("conflict", `container ${record.id} is not running`, { about: record.name });
  }
  return live;
}

/** As `requireUp`, and a `conflict` for one that is paused: nothing new can run in it. `ref` is what its user calls it. */
export function requireRunning(
  parts: Parts<"live">,
  record: ContainerRecord,
  ref: string = record.id,
): LiveContainer {
  const live = requireUp(parts, record);
  if (record.state.status === "paused") {
    throw new Fault("conflict", `Container ${ref} is paused, unpause the container before exec`, {
      about: record.name,
    });
  }
  return live;
}
