import { setTimeout as delay } from "node:timers/promises";
import { type ContainerId, faultOf } from "#base";
import type { Task, TaskExit } from "#task";
import { crashPoint } from "../crash-point.ts";
import type { Parts } from "../parts.ts";
import { publishContainer, publishNetworks } from "./container-event.ts";
import { compressedLog } from "./container-logs.ts";
import { type ContainerRecord, isUp } from "./container-record.ts";
import { releaseVolumes } from "./container-volumes.ts";
import { endUnhealthy } from "./kill.ts";
import type { LiveContainer } from "./live-container.ts";
import type { RunPorts } from "./published-ports.ts";
import { type RemoveParts, removeContainer } from "./remove.ts";
import { startsAgain } from "./restart-policy.ts";
import { leaveNetworks, type OpenSandbox } from "./sandbox.ts";
import { unmountSharedMemory } from "./shared-memory.ts";

type RecordParts = Parts<
  "log" | "clock" | "store" | "sandboxes" | "events" | "waits" | "removing" | "restarting"
>;

/** The parts that the end of a run touches: with `--rm` it removes the container. */
export type TrackParts = RecordParts &
  RemoveParts &
  Parts<"tasks" | "closing" | "paths" | "names" | "restarts" | "health">;

/** Milliseconds left to answers before the cleaning of cgroups, which blocks. */
const courtesy = 5;

/** A run of a container, from before its program runs. */
interface Run {
  readonly id: ContainerId;
  readonly task: Task;
  readonly sandbox: OpenSandbox;
  readonly ports: RunPorts;
}

/**
 * Follows a container from before its program runs to its end. `running` is called
 * once the start has been told to everyone, so that no end is told before it;
 * `forget` when the start failed, which leaves cleaning up to the caller.
 */
export function trackContainer(parts: TrackParts, run: Run): { running(): void; forget(): void } {
  const { id, task } = run;
  const begun = Promise.withResolvers<boolean>();
  const recorded = Promise.withResolvers<void>();
  const settled = Promise.withResolvers<void>();
  const live: LiveContainer = {
    ...{ ...run, views: new Set() },
    ...{ recorded: recorded.promise, settled: settled.promise },
  };
  parts.live.set(id, live);
  void task.outOfMemory.then(() => recordOom(parts, id));
  void parts.background.run(`following container ${id}`, async () => {
    const isRunning = await begun.promise;
    const log = isRunning && compressedLog(parts, id);
    if (log) parts.logCompression.follow(log, task);
    if (isRunning) followHealth(parts, live);
    const record = isRunning ? parts.store.get(id) : undefined;
    if (record) parts.logShipping.follow(record, recorded.promise);
    const exit = isRunning ? await parts.closing.until(task.exited) : undefined;
    parts.health.end(id);
    let isWritten = true;
    if (exit) {
      crashPoint("exit:seen");
      await Promise.all([run.ports.withdraw(), forgetNames(parts, id)]);
      isWritten = recordExit(parts, id, exit);
      crashPoint("exit:recorded");
    }
    // From here on the container counts as stopped, also for `start`.
    recorded.resolve();
    if (exit) {
      await settle(parts, live, isWritten);
      await Promise.all(live.views);
    } else if (isRunning) await letGo(live);
    parts.live.delete(id);
    settled.resolve();
    if (exit) startLater(parts, id);
  });
  return { running: () => begun.resolve(true), forget: () => begun.resolve(false) };
}

/** Its policy may ask for its end, at most once at a time. */
function followHealth(
  parts: Parts<"store" | "health" | "background" | "events" | "live">,
  live: LiveContainer,
): void {
  let isEnding = false;
  parts.health.follow(live.id, () => {
    if (isEnding) return;
    isEnding = true;
    void parts.background.run(`ending container ${live.id}, which is unhealthy`, async () => {
      try {
        await endUnhealthy(parts, live);
      } finally {
        isEnding = false;
      }
    });
  });
}

/** Its policy starts it again after a while, unless its user was faster. */
function startLater(parts: Parts<"store" | "restarts">, id: ContainerId): void {
  const state = parts.store.get(id)?.state;
  if (state?.status !== "restarting") return;
  parts.restarts.after(id, Number((state.finishedAt - state.startedAt) / 1_000_000n));
}

/** Others find it no more. Where its names cannot be taken back, its end counts all the same. */
async function forgetNames(parts: Parts<"names" | "log">, id: ContainerId): Promise<void> {
  try {
    await parts.names.remove(id);
  } catch (error) {
    const reason = faultOf(error).message;
    parts.log.error("the names of a container could not be taken back", { id, error: reason });
  }
}

/** The engine closes: gives up what only this process holds of a container that goes on. */
async function letGo({ sandbox, task }: LiveContainer): Promise<void> {
  sandbox.netns?.close();
  await task[Symbol.asyncDispose]();
}

/** The kernel has killed in the container for want of memory; it may well go on. */
function recordOom(parts: Parts<"log" | "store" | "events">, id: ContainerId): void {
  const record = parts.store.get(id);
  if (!record || !isUp(record.state) || record.state.oomKilled) return;
  const change = { state: { ...record.state, oomKilled: true } };
  const fault = parts.store.note(id, change);
  if (fault)
    parts.log.error("a container's want of memory could not be recorded", {
      id,
      error: fault.message,
    });
  publishContainer(parts, record, "oom");
}

/** Whether a container goes with the end of its run, unless it only stops to start again or someone removes it already. */
function goesWithItsRun(
  parts: Parts<"store" | "removing" | "restarting">,
  id: ContainerId,
): boolean {
  const isKept = parts.restarting.has(id) || parts.removing.has(id);
  return !isKept && parts.store.get(id)?.host.AutoRemove === true;
}

/**
 * Writes down how a container ended and tells everyone; all in one tick, so that no
 * one sees half of it. Whether it was written: on a full disk it cannot be, and for a
 * container whose row is about to go it need not be. It holds all the same, and until
 * the row is gone the next start reads it from the monitor's exit record.
 */
export function recordExit(parts: RecordParts, id: ContainerId, exit: TaskExit): boolean {
  const record = parts.store.get(id);
  if (!record) return true;
  const finishedAt = exit.finishedAt || parts.clock.now();
  const change = exitChange(parts, record, { ...exit, finishedAt });
  const { status } = change.state;
  const isGoing = goesWithItsRun(parts, id);
  if (isGoing) parts.store.assume(id, change);
  const fault = isGoing ? undefined : parts.store.note(id, change);
  if (fault)
    parts.log.error("the end of a container could not be recorded", { id, error: fault.message });
  // As dockerd: a container has left its networks when it is told to have ended.
  publishNetworks(parts, parts.sandboxes.get(id), "disconnect");
  const seconds = (finishedAt - record.state.startedAt) / 1_000_000_000n;
  publishContainer(parts, record, "die", {
    exitCode: String(exit.exitCode),
    execDuration: String(seconds),
  });
  const result = { exitCode: exit.exitCode };
  if (status === "restarting") parts.waits.endedOnce(id, result);
  else parts.waits.exited(id, result);
  return !isGoing && !fault;
}

function exitChange(
  parts: Parts<"removing" | "restarting">,
  record: ContainerRecord,
  { exitCode, error, oomKilled, finishedAt }: TaskExit,
): Pick<ContainerRecord, "starting" | "startTime" | "state"> {
  const state = {
    ...record.state,
    pid: 0,
    exitCode,
    error: error?.message ?? "",
    oomKilled,
    finishedAt,
  };
  const isTaken = parts.removing.has(record.id) || parts.restarting.has(record.id);
  const again = !isTaken && startsAgain({ ...record, state });
  return {
    starting: false,
    startTime: 0n,
    state: { ...state, status: again ? "restarting" : "exited" },
  };
}

/** Gives back all that the run held; `--rm` goes first, since someone waits for that. */
async function settle(parts: TrackParts, live: LiveContainer, isWritten: boolean): Promise<void> {
  const { id, sandbox, task } = live;
  const isGoing = goesWithItsRun(parts, id);
  const record = parts.store.get(id);
  if (record && record.placed.length > 0) await releaseVolumes(parts, record);
  if (record?.host.IpcMode === "shareable") await unmountSharedMemory(parts, id);
  const left = Promise.try(() => {
    if (isWritten && !isGoing) leaveNetworks(parts, id);
  });
  const removal = isGoing ? removeAfterRun(parts, id) : undefined;
  const freed = Promise.all([sandbox.release(), task.released]);
  const cleaned: PromiseSettledResult<unknown>[] = await Promise.allSettled([left, removal, freed]);
  // Milliseconds of system calls that no one waits for: first the answers of those who do.
  await delay(courtesy);
  const keepExitRecord = !isWritten && parts.store.get(id) !== undefined;
  const ended = parts.tasks.remove(id, { keepExitRecord });
  cleaned.push(...(await Promise.allSettled([ended])));
  for (const each of cleaned) if (each.status === "rejected") throw each.reason;
}

/** Who waits for the end of a `--rm` container is told as well when it cannot be removed. */
async function removeAfterRun(parts: RemoveParts, id: ContainerId): Promise<void> {
  try {
    await removeContainer(parts, id, { force: false, volumes: true });
  } catch (error) {
    const why = `container ${id} has ended, but could not be removed: ${faultOf(error).message}`;
    parts.waits.removed(id, { exitCode: parts.store.get(id)?.state.exitCode ?? 0, error: why });
    throw error;
  }
}
