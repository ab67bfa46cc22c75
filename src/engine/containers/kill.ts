import { type ContainerId, Fault, isFault } from "#base";
import { type Config, checkSignal } from "#container";
import type { Parts } from "../parts.ts";
import { publishContainer } from "./container-event.ts";
import { type ContainerRecord, isUp } from "./container-record.ts";
import type { LiveContainer } from "./live-container.ts";
import { resumeForSignal } from "./pause.ts";
import { endsUnhealthy } from "./restart-policy.ts";

const SIGKILL = 9;
const SIGTERM = 15;
/** A process in an uninterruptible wait may take long to die; after this the caller is told so. */
const killPatience = 10_000;

/** Sends a signal to process 1 of a running container; SIGKILL is waited for. */
export async function killContainer(
  parts: Parts<"store" | "events" | "live" | "waits" | "restarts">,
  ref: string,
  signal: string,
): Promise<void> {
  const record = parts.store.find(ref);
  const number = checkSignal(signal === "" ? "KILL" : signal);
  if (cancelRestart(parts, record.id)) return;
  const live = parts.live.get(record.id);
  if (!live || !isUp(record.state)) {
    throw new Fault(
      "conflict",
      `cannot kill container: ${ref}: container ${record.id} is not running`,
      { about: record.name },
    );
  }
  if (number === SIGKILL || number === stopSignalOf(record)) markStopped(parts, record.id);
  if (number === SIGKILL) await killAndWait(parts, live);
  else await sendSignal(parts, live, number);
}

function stopSignalOf({ config: { StopSignal } }: ContainerRecord): number {
  return StopSignal ? checkSignal(StopSignal) : SIGTERM;
}

/** From now on its policy starts it no more, until its user does. */
function markStopped(parts: Parts<"store" | "restarts">, id: ContainerId): void {
  parts.restarts.forget(id);
  if (parts.store.get(id)?.stoppedByUser === false) parts.store.note(id, { stoppedByUser: true });
}

/** Whether a container was waiting for its next start; it has ended for good then. */
export function cancelRestart(
  parts: Parts<"store" | "waits" | "restarts">,
  id: ContainerId,
): boolean {
  const state = parts.store.get(id)?.state;
  if (state?.status !== "restarting") return false;
  parts.restarts.forget(id);
  parts.store.note(id, { stoppedByUser: true, state: { ...state, status: "exited" } });
  parts.waits.exited(id, { exitCode: state.exitCode });
  return true;
}

/** Sends a signal and says so, and ends a pause, as in Docker; a process that has just ended is not a fault. */
async function sendSignal(
  parts: Parts<"store" | "events" | "live">,
  live: LiveContainer,
  signal: number,
): Promise<void> {
  const record = parts.store.get(live.id);
  try {
    await live.task.kill(signal);
  } catch (error) {
    if (!isFault(error, "not_found")) throw error;
  }
  if (record) publishContainer(parts, record, "kill", { signal: String(signal) });
  await resumeForSignal(parts, live.id);
}

/** SIGKILL to process 1, and to all others if that is not enough; until the end is recorded. */
export async function killAndWait(
  parts: Parts<"store" | "events" | "live">,
  live: LiveContainer,
): Promise<void> {
  await sendSignal(parts, live, SIGKILL);
  if (await endsWithin(live, killPatience / 2)) return;
  await live.task.killAll();
  if (await endsWithin(live, killPatience / 2)) return;
  throw new Fault(
    "timeout",
    `container ${live.id} did not end within ${killPatience / 1000} s of SIGKILL; a process in it may hang in the kernel`,
    { about: live.id },
  );
}

/** Whether the container's end is recorded within that time; a negative time waits for ever. */
async function endsWithin(live: LiveContainer, milliseconds: number): Promise<boolean> {
  if (milliseconds < 0) {
    await live.recorded;
    return true;
  }
  const timer = Promise.withResolvers<boolean>();
  const timeout = setTimeout(() => timer.resolve(false), Math.min(milliseconds, 2 ** 31 - 1));
  try {
    return await Promise.race([live.recorded.then(() => true), timer.promise]);
  } finally {
    clearTimeout(timeout);
  }
}

export interface StopOptions {
  /** Seconds; negative: wait for ever. */
  readonly timeout?: number;
  readonly signal?: string;
}

/** How long a container has after its stop signal: as asked for now, as configured, or Docker's 10 s. */
export function secondsToStop(
  { StopTimeout }: Pick<Config, "StopTimeout">,
  { timeout }: StopOptions,
): number {
  return timeout ?? StopTimeout ?? 10;
}

/** The stop signal, then SIGKILL; a container that does not run is `not_modified`. */
export async function stopContainer(
  parts: Parts<"store" | "events" | "locks" | "live" | "waits" | "restarts">,
  ref: string,
  options: StopOptions,
): Promise<void> {
  const { id } = parts.store.find(ref);
  // A start that is under way comes first; the waiting below must not hold the lock.
  await parts.locks.run(id, async () => undefined);
  if (cancelRestart(parts, id)) return publishStopped(parts, id);
  const record = parts.store.find(id);
  const live = parts.live.get(id);
  if (!live || !isUp(record.state)) {
    throw new Fault("not_modified", `container ${record.name} is not running`, {
      about: record.name,
    });
  }
  const signal = options.signal ? checkSignal(options.signal) : undefined;
  const seconds = secondsToStop(record.config, options);
  markStopped(parts, id);
  await endRun(parts, live, { signal: signal ?? stopSignalOf(record), seconds });
  publishStopped(parts, id);
}

/** A signal, then SIGKILL where that many seconds were not enough; a negative number waits for ever. */
async function endRun(
  parts: Parts<"store" | "events" | "live">,
  live: LiveContainer,
  { signal, seconds }: { readonly signal: number; readonly seconds: number },
): Promise<void> {
  await sendSignal(parts, live, signal);
  if (!(await endsWithin(live, seconds * 1000))) await killAndWait(parts, live);
}

/** Ends a container that is unhealthy, where its policy asks for that; with its end it starts again. */
export async function endUnhealthy(
  parts: Parts<"store" | "events" | "live">,
  live: LiveContainer,
): Promise<void> {
  const record = parts.store.get(live.id);
  if (!record || record.stoppedByUser || !endsUnhealthy(record)) return;
  parts.store.note(live.id, { endedUnhealthy: true });
  const seconds = secondsToStop(record.config, {});
  await endRun(parts, live, { signal: stopSignalOf(record), seconds });
}

function publishStopped(parts: Parts<"store" | "events">, id: ContainerId): void {
  const record = parts.store.get(id);
  if (record) publishContainer(parts, record, "stop");
}
