import { existsSync, readdirSync, rmdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { faultOf, isContainerId, isFault } from "#base";
import { unmount } from "#kernel";
import type { Task, TaskExit } from "#task";
import { viewOwner } from "./containers/container-images.ts";
import { compressedLog } from "./containers/container-logs.ts";
import { type ContainerRecord, isUp } from "./containers/container-record.ts";
import { placedVolumes } from "./containers/container-volumes.ts";
import { recordExit, trackContainer } from "./containers/exit.ts";
import { adoptPorts } from "./containers/published-ports.ts";
import { removeContainer } from "./containers/remove.ts";
import { startsWithEngine } from "./containers/restart-policy.ts";
import { adoptSandbox, hasInterface, leaveNetworks, routeByGateway } from "./containers/sandbox.ts";
import { sweepSharedMemory } from "./containers/shared-memory.ts";
import type { StartParts } from "./containers/start.ts";
import { moveLinks } from "./networks/links.ts";
import { restoreNames } from "./networks/resolution.ts";
import type { Parts } from "./parts.ts";

/**
 * Brings rows and reality together after a start: takes over containers that still run, writes down
 * the ends that were missed, finishes or undoes what was half done, and sweeps away what belongs to
 * no container. A second run does nothing.
 */
export async function reconcile(parts: StartParts): Promise<void> {
  for (const record of [...parts.store.all()]) {
    try {
      await settleContainer(parts, record);
    } catch (error) {
      parts.log.error("a container could not be settled", {
        id: record.id,
        error: faultOf(error).message,
      });
    }
  }
  await parts.ports.retain(new Set(parts.live.keys()));
  await attempt(parts, "undoing mounts of volumes", () => parts.volumes.holders.settle());
  await attempt(parts, "undoing mounts of shared memory", () => sweepSharedMemory(parts));
  await attempt(parts, "settling the networks of containers", () => settleNetworks(parts));
  for (const live of parts.live.values())
    await attempt(parts, `publishing the ports of ${live.id}`, () => live.ports.settle(live));
  await attempt(parts, "serving the names of containers", () => restoreNames(parts));
  moveLinks(parts);
  await sweep(parts);
  startThoseThatGoOn(parts);
}

/** Starts what its policy wants to run: after a reboot too, and what was waiting for its next start. */
function startThoseThatGoOn(parts: Parts<"store" | "restarts" | "live">): void {
  for (const record of [...parts.store.all()]) {
    const { id, state } = record;
    if (parts.live.has(id) || isUp(state)) continue;
    if (state.status !== "restarting") {
      if (!startsWithEngine(record)) continue;
      parts.store.note(id, { state: { ...state, status: "restarting" } });
    }
    parts.restarts.soon(id);
  }
}

/** What a crash left of connecting and disconnecting: interfaces of no row, and default routes of before. */
async function settleNetworks(parts: Parts<"networks" | "live">): Promise<void> {
  const swept = await parts.networks.sweep();
  for (const { task, sandbox } of parts.live.values()) {
    const joined = sandbox.stored.endpoints.filter(hasInterface);
    if (sandbox.stored.mode.kind === "host" || sandbox.stored.mode.kind === "container") continue;
    using netns = task.openNamespace("network");
    const inside = await parts.networks.sweepInside(netns);
    if (joined.length < 2 && swept + inside === 0) continue;
    await routeByGateway(parts, netns, sandbox.stored);
  }
}

async function settleContainer(parts: StartParts, record: ContainerRecord): Promise<void> {
  if (parts.live.has(record.id)) return;
  const isWritten = !isUp(record.state) || (await settleRunning(parts, record));
  const settled = parts.store.get(record.id);
  if (!settled || isUp(settled.state)) return;
  // Also of one whose end was recorded before a crash.
  leaveNetworks(parts, record.id);
  await parts.tasks.remove(record.id, { keepExitRecord: !isWritten });
  const wasStarted = settled.state.startedAt !== 0n || settled.state.error !== "";
  if (settled.host.AutoRemove && (wasStarted || parts.state.rebooted)) {
    await removeContainer(parts, record.id, { force: false, volumes: true });
    return;
  }
  const log = compressedLog(parts, record.id);
  if (log) parts.logCompression.finish(log);
  parts.logShipping.follow(settled);
}

/** Three ways a container recorded as running can stand: alive, ended with a record, or lost. Whether its state could be written. */
async function settleRunning(parts: StartParts, record: ContainerRecord): Promise<boolean> {
  const { id, startTime, state } = record;
  const task = parts.state.rebooted
    ? undefined
    : await parts.tasks.adopt({ id, pid: state.pid, startTime });
  if (task) {
    await adopt(parts, record, task);
    return true;
  }
  const exit = await parts.tasks.exitRecord(id);
  const neverRan = exit?.error ?? (exit ? undefined : neverTold);
  return record.starting && neverRan
    ? undoStart(parts, record, neverRan.message)
    : recordExit(parts, id, exit ?? lost(parts, record));
}

/** Goes on with a container that another engine process started, and that may have crashed while the container was held. */
async function adopt(parts: StartParts, record: ContainerRecord, task: Task): Promise<void> {
  const { id } = record;
  for (const { volume } of placedVolumes(record)) parts.volumes.holders.adopt(volume, id);
  const sandbox = adoptSandbox(parts, record);
  const tracked = trackContainer(parts, { id, task, sandbox, ports: adoptPorts(parts, record) });
  parts.store.update(id, { starting: false });
  tracked.running();
  const isPaused = record.state.status === "paused";
  await task.freeze(isPaused).catch((error) => {
    // One that has ended meanwhile is followed to its end already.
    if (isFault(error, "not_found") || (!isPaused && isFault(error, "unsupported"))) return;
    throw error;
  });
}

const neverTold = { message: "the engine ended while it started this container; start it again" };

/** The engine ended between the launch and its success, and the program never ran. */
function undoStart(parts: Parts<"store">, record: ContainerRecord, error: string): boolean {
  const isFirst = record.state.finishedAt === 0n;
  parts.store.update(record.id, {
    starting: false,
    startTime: 0n,
    state: {
      ...record.state,
      status: isFirst ? "created" : "exited",
      pid: 0,
      startedAt: isFirst ? 0n : record.state.startedAt,
      exitCode: 128,
      error,
    },
  });
  return true;
}

/** Neither monitor nor record: killed with its monitor, or the machine was turned off. */
function lost(parts: Parts<"state" | "clock">, record: ContainerRecord): TaskExit {
  const message = parts.state.rebooted
    ? "the machine was restarted while this container ran"
    : "the container's monitor was killed, and the container with it";
  return {
    id: record.id,
    exitCode: 137,
    signal: 9,
    oomKilled: false,
    startedAt: record.state.startedAt,
    finishedAt: parts.clock.now(),
    error: { stage: "monitor", errno: 0, message },
  };
}

/**
 * Removes the leftovers of a create, a remove, an exec or an unlisted run that a crash cut short.
 */
async function sweep(
  parts: Parts<"paths" | "log" | "tasks" | "snapshots" | "store" | "content">,
): Promise<void> {
  const known = new Set<string>([...parts.store.all()].map((record) => record.id));
  await parts.tasks.sweep(known);
  let removed = false;
  for (const key of await parts.snapshots.activeKeys()) {
    const owner = viewOwner(key) ?? key;
    if (known.has(owner) || !isContainerId(owner)) continue;
    await attempt(parts, `removing the snapshot ${key}`, () => parts.snapshots.remove(key));
    removed = true;
  }
  // A layer that nothing else needed stood below one of them when the store was settled.
  if (removed) await attempt(parts, "removing needless layers", () => parts.content.collect());
  for (const name of list(parts.paths.containers)) {
    if (known.has(name)) continue;
    const path = join(parts.paths.containers, name);
    await attempt(parts, `removing ${path}`, () => rm(path, { recursive: true, force: true }));
  }
  await attempt(parts, "removing unfinished trees", () =>
    rm(parts.paths.work, { recursive: true, force: true }),
  );
  await sweepViews(parts);
}

/** Images that were mounted to be looked at, when an engine was killed. */
async function sweepViews(parts: Parts<"paths" | "log">): Promise<void> {
  for (const name of list(parts.paths.runViews)) {
    const path = join(parts.paths.runViews, name);
    await attempt(parts, `removing ${path}`, async () => {
      await unmount(path, { detach: true }).catch((error: unknown) => {
        if (!isFault(error, "invalid")) throw error;
      });
      rmdirSync(path);
    });
  }
}

async function attempt(
  parts: Parts<"log">,
  doing: string,
  work: () => Promise<unknown>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    parts.log.error(`${doing} failed`, { error: faultOf(error).message });
  }
}

function list(directory: string): readonly string[] {
  return existsSync(directory) ? readdirSync(directory) : [];
}
