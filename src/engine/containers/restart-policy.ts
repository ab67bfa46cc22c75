import type { HostConfig } from "#container";
import type { ContainerRecord } from "./container-record.ts";

/** A container that has ended, as far as its policy asks. */
export type Ended = Pick<ContainerRecord, "restartCount" | "endedUnhealthy" | "stoppedByUser"> & {
  readonly host: Pick<HostConfig, "RestartPolicy">;
  readonly state: Pick<ContainerRecord["state"], "exitCode" | "startedAt">;
};

/** Whether a container whose run has just ended starts again by itself. */
export function startsAgain(record: Ended): boolean {
  const { host, state, endedUnhealthy, stoppedByUser } = record;
  if (stoppedByUser) return false;
  switch (host.RestartPolicy.Name) {
    case "always":
    case "unless-stopped":
      return true;
    case "on-failure":
      return state.exitCode !== 0 && hasRetries(record);
    case "unhealthy":
      return (state.exitCode !== 0 || endedUnhealthy) && hasRetries(record);
    default:
      return false;
  }
}

/** Whether a container that runs is ended, to start anew, once it is unhealthy. */
export function endsUnhealthy(record: Omit<Ended, "state">): boolean {
  return record.host.RestartPolicy.Name === "unhealthy" && hasRetries(record);
}

function hasRetries({ host, restartCount }: Omit<Ended, "state">): boolean {
  const { MaximumRetryCount: most } = host.RestartPolicy;
  return most === 0 || restartCount < most;
}

/**
 * Whether a container that does not run starts with the engine: as Docker documents it, "always" does
 * even after its user stopped it. One that never ran waits for its first start.
 */
export function startsWithEngine(record: Ended): boolean {
  if (record.state.startedAt === 0n) return false;
  return record.host.RestartPolicy.Name === "always" || startsAgain(record);
}

const firstPause = 100;
const longestPause = 60_000;
/** A run this long counts as a success, after which the pauses begin anew. */
const steady = 10_000;

/** Milliseconds to wait before the next start, from the pause before and the length of the run that ended. */
export function pauseAfter(last: number | undefined, ran: number): number {
  if (last === undefined || ran >= steady) return firstPause;
  return Math.min(last * 2, longestPause);
}
