import { rmSync } from "node:fs";
import { rm } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { type ContainerId, faultOf } from "#base";
import { type ExitRecord, readExitRecord } from "#helper";
import type { Fd } from "#kernel";
import type { ContainerCgroup } from "#runtime";
import { crashPoint } from "../crash-point.ts";
import type { EngineParts } from "../parts.ts";
import { publishContainer } from "./container-event.ts";
import type { ContainerRecord } from "./container-record.ts";
import type { LiveContainer } from "./live-container.ts";
import { removeContainer } from "./remove.ts";
import { leaveNetworks, type OpenSandbox } from "./sandbox.ts";

/** Milliseconds left to answers before the cleaning of cgroups, which blocks. */
const courtesy = 5;

/** What tells of a container's end: a launch of this process, or a monitor of an earlier one. */
export interface ProcessReports {
  readonly exited: Promise<ExitRecord>;
  /** The monitor has let go of the mounts. */
  readonly monitorExited: Promise<unknown>;
  onOom(notice: () => void): void;
  /** Stops listening; the container goes on. */
  [Symbol.asyncDispose](): Promise<void>;
}

export interface TrackedProcess {
  readonly id: ContainerId;
  readonly pid: number;
  readonly startTime: bigint;
  readonly pidfd: Fd;
  readonly cgroup: ContainerCgroup;
  readonly sandbox: OpenSandbox;
  readonly launch: ProcessReports;
}

/**
 * Follows a container from before its program runs to its end. `running` is called
 * once the start has been told to everyone, so that no end is told before it;
 * `forget` when the start failed, which leaves cleaning up to the caller.
 */
export function trackContainer(
  parts: EngineParts,
  process: TrackedProcess,
): { running(): void; forget(): void } {
  const { id, launch } = process;
  const begun = Promise.withResolvers<boolean>();
  const exited = launch.exited.catch((error) => recordedExit(parts, id, error));
  const recorded = Promise.withResolvers<void>();
  const settled = Promise.withResolvers<void>();
  const live: LiveContainer = {
    ...process,
    exited,
    recorded: recorded.promise,
    settled: settled.promise,
  };
  parts.live.set(id, live);
  launch.onOom(() => recordOom(parts, id));
  void parts.background.run(`following container ${id}`, async () => {
    const isRunning = await begun.promise;
    const exit = isRunning ? await parts.closing.until(exited) : undefined;
    let isWritten = true;
    if (exit) {
      crashPoint("exit:seen");
      isWritten = recordExit(parts, id, exit);
      crashPoint("exit:recorded");
    }
    // From here on the container counts as stopped, also for `start`.
    recorded.resolve();
    if (exit) await settle(parts, live, { launch, isWritten });
    else if (isRunning) await letGo(live, launch);
    parts.live.delete(id);
    settled.resolve();
  });
  return { running: () => begun.resolve(true), forget: () => begun.resolve(false) };
}

/** The engine closes: gives up what only this process holds of a container that goes on. */
async function letGo(live: LiveContainer, launch: ProcessReports): Promise<void> {
  live.pidfd.close();
  live.sandbox.netns?.close();
  await launch[Symbol.asyncDispose]();
}

/** A monitor that ended without a word: what it left, or else the container was killed with it. */
async function recordedExit(
  parts: EngineParts,
  id: ContainerId,
  error: unknown,
): Promise<ExitRecord> {
  const left = await readExitRecord(parts.paths.exitRecord(id)).catch(() => undefined);
  return (
    left ?? {
      id,
      exitCode: 137,
      signal: 9,
      oomKilled: false,
      startedAt: 0n,
      finishedAt: 0n,
      error: { stage: "monitor", errno: 0, message: faultOf(error).message },
    }
  );
}

/** The kernel has killed in the container for want of memory; it may well go on. */
function recordOom(parts: EngineParts, id: ContainerId): void {
  const record = parts.store.get(id);
  if (record?.state.status !== "running" || record.state.oomKilled) return;
  const change = { state: { ...record.state, oomKilled: true } };
  try {
    parts.store.update(id, change);
  } catch (error) {
    parts.store.assume(id, change);
    const reason = faultOf(error).message;
    parts.log.error("a container's want of memory could not be recorded", { id, error: reason });
  }
  publishContainer(parts, record, "oom");
}

/**
 * Writes down how a container ended and tells everyone; all in one tick, so that no
 * one sees half of it. Whether it could be written: if not, as on a full disk, it
 * holds all the same, and the next start reads it from the monitor's exit record.
 */
export function recordExit(parts: EngineParts, id: ContainerId, exit: ExitRecord): boolean {
  const record = parts.store.get(id);
  if (!record) return true;
  const finishedAt = exit.finishedAt || parts.clock.now();
  const change = exitChange(record, exit, finishedAt);
  let isWritten = true;
  try {
    parts.store.update(id, change);
  } catch (error) {
    isWritten = false;
    parts.store.assume(id, change);
    parts.log.error("the end of a container could not be recorded", {
      id,
      error: faultOf(error).message,
    });
  }
  const seconds = (finishedAt - record.state.startedAt) / 1_000_000_000n;
  publishContainer(parts, record, "die", {
    exitCode: String(exit.exitCode),
    execDuration: String(seconds),
  });
  parts.waits.exited(id, { exitCode: exit.exitCode });
  return isWritten;
}

function exitChange(
  record: ContainerRecord,
  exit: ExitRecord,
  finishedAt: bigint,
): Pick<ContainerRecord, "starting" | "startTime" | "state"> {
  return {
    starting: false,
    startTime: 0n,
    state: {
      ...record.state,
      status: "exited",
      pid: 0,
      exitCode: exit.exitCode,
      error: exit.error?.message ?? "",
      oomKilled: exit.oomKilled,
      finishedAt,
    },
  };
}

/** Gives back all that the run held; `--rm` goes first, since someone waits for that. */
async function settle(
  parts: EngineParts,
  live: LiveContainer,
  { launch, isWritten }: { readonly launch: ProcessReports; readonly isWritten: boolean },
): Promise<void> {
  const { id } = live;
  live.pidfd.close();
  const left = Promise.try(() => isWritten && leaveNetworks(parts, id));
  const mayRemove = !parts.restarting.has(id) && !parts.removing.has(id);
  const removal =
    mayRemove && parts.store.get(id)?.host.AutoRemove ? removeAfterRun(parts, id) : undefined;
  const freed = Promise.all([live.sandbox.release(), launch.monitorExited]);
  const cleaned: PromiseSettledResult<unknown>[] = await Promise.allSettled([left, removal, freed]);
  // Milliseconds of system calls that no one waits for: first the answers of those who do.
  await delay(courtesy);
  cleaned.push(...(await Promise.allSettled([endCgroup(live.cgroup)])));
  // On a disk each unlink may take a millisecond, which others would wait for.
  if (isWritten) await rm(parts.paths.runContainer(id), { recursive: true, force: true });
  for (const each of cleaned) if (each.status === "rejected") throw each.reason;
}

/** Who waits for the end of a `--rm` container is told as well when it cannot be removed. */
async function removeAfterRun(parts: EngineParts, id: ContainerId): Promise<void> {
  try {
    await removeContainer(parts, id, { force: false });
  } catch (error) {
    const why = `container ${id} has ended, but could not be removed: ${faultOf(error).message}`;
    parts.waits.removed(id, { exitCode: parts.store.get(id)?.state.exitCode ?? 0, error: why });
    throw error;
  }
}

async function endCgroup(cgroup: ContainerCgroup): Promise<void> {
  await cgroup.killAll();
  await cgroup.remove();
}

/** Removes the socket and the exit record of an earlier run. */
export function clearRunDirectory(parts: EngineParts, id: ContainerId): void {
  rmSync(parts.paths.runContainer(id), { recursive: true, force: true });
}
