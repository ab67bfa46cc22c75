import { existsSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type ContainerId, Fault, faultOf, isContainerId, isFault } from "#base";
import { connectMonitor, type ExitRecord, type Monitor, readExitRecord } from "#helper";
import { pidfdOpen, startTime, unmount } from "#kernel";
import type { ContainerRecord } from "./containers/container-record.ts";
import {
  clearRunDirectory,
  type ProcessReports,
  recordExit,
  trackContainer,
} from "./containers/exit.ts";
import { removeContainer } from "./containers/remove.ts";
import { adoptSandbox, leaveNetworks } from "./containers/sandbox.ts";
import type { EngineParts } from "./parts.ts";

/**
 * Brings what is recorded and what is there together again after a start: takes
 * over what still runs, writes down what ended meanwhile, finishes or undoes what
 * was half done, and sweeps away what belongs to no container. Harmless when run
 * on a settled engine's data.
 */
export async function reconcile(parts: EngineParts): Promise<void> {
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
  await sweep(parts);
}

async function settleContainer(parts: EngineParts, record: ContainerRecord): Promise<void> {
  if (parts.live.has(record.id)) return;
  if (record.state.status === "running") await settleRunning(parts, record);
  const settled = parts.store.get(record.id);
  if (!settled || settled.state.status === "running") return;
  // Also of one whose end was recorded before a crash.
  leaveNetworks(parts, record.id);
  await clearLeftovers(parts, record.id);
  const wasStarted = settled.state.startedAt !== 0n || settled.state.error !== "";
  if (settled.host.AutoRemove && (wasStarted || parts.state.rebooted)) {
    await removeContainer(parts, record.id, { force: false });
  }
}

/** Three ways a container recorded as running can stand: alive, ended with a record, or lost. */
async function settleRunning(parts: EngineParts, record: ContainerRecord): Promise<void> {
  const monitor = parts.state.rebooted ? undefined : await findMonitor(parts, record);
  if (monitor) {
    adopt(parts, record, monitor);
    return;
  }
  const exit = await readExitRecord(parts.paths.exitRecord(record.id));
  const neverRan = exit?.error ?? (exit ? undefined : neverTold);
  if (record.starting && neverRan) undoStart(parts, record, neverRan.message);
  else if (exit) recordExit(parts, record.id, exit);
  else recordExit(parts, record.id, lost(parts, record));
}

/** The container's monitor, if it is the one that was recorded; what is not is left to be swept. */
async function findMonitor(
  parts: EngineParts,
  record: ContainerRecord,
): Promise<Monitor | undefined> {
  let monitor: Monitor;
  try {
    monitor = await connectMonitor(parts.paths.controlSocket(record.id));
  } catch (error) {
    parts.log.debug("no monitor answers", { id: record.id, error: faultOf(error).message });
    return undefined;
  }
  try {
    const status = await monitor.status();
    const isSame =
      status.id === record.id &&
      status.pid === record.state.pid &&
      status.startTime === record.startTime &&
      status.state === "running";
    if (isSame && startTime(status.pid) === record.startTime) return monitor;
  } catch (error) {
    parts.log.warn("a monitor does not answer", {
      id: record.id,
      error: faultOf(error).message,
    });
  }
  monitor.close();
  return undefined;
}

/** Goes on with a container that another engine process started. */
function adopt(parts: EngineParts, record: ContainerRecord, monitor: Monitor): void {
  const { id } = record;
  const cgroup = parts.cgroups.open(id);
  if (!cgroup) throw new Fault("internal", `container ${id} runs without a cgroup`);
  const tracked = trackContainer(parts, {
    id,
    pid: record.state.pid,
    startTime: record.startTime,
    pidfd: pidfdOpen(record.state.pid),
    cgroup,
    sandbox: adoptSandbox(parts, record),
    launch: monitorReports(parts, id, monitor),
  });
  parts.store.update(id, { starting: false });
  tracked.running();
}

/** An end that came while no one watched is read from the record it left. */
function monitorReports(parts: EngineParts, id: ContainerId, monitor: Monitor): ProcessReports {
  const { promise: exited, resolve, reject } = Promise.withResolvers<ExitRecord>();
  let onOom: () => void = () => undefined;
  const lostConnection = async () => {
    const exit = await readExitRecord(parts.paths.exitRecord(id));
    if (exit) resolve(exit);
    else reject(new Fault("unavailable", `the monitor of container ${id} ended without a word`));
  };
  monitor.watch({ onOom: () => onOom(), onExit: resolve });
  const monitorExited = monitor.closed;
  void monitorExited.then(lostConnection).catch(reject);
  return {
    exited,
    monitorExited,
    onOom: (notice) => {
      onOom = notice;
    },
    [Symbol.asyncDispose]: async () => monitor.close(),
  };
}

const neverTold = { message: "the engine ended while it started this container; start it again" };

/** The engine ended between the launch and its success, and the program never ran. */
function undoStart(parts: EngineParts, record: ContainerRecord, error: string): void {
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
}

/** Neither monitor nor record: killed with its monitor, or the machine was turned off. */
function lost(parts: EngineParts, record: ContainerRecord): ExitRecord {
  const message = parts.state.rebooted
    ? "the machine was started anew while this container ran"
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

/** Kills and removes what is left of a container's run. */
async function clearLeftovers(parts: EngineParts, id: ContainerId): Promise<void> {
  const cgroup = parts.cgroups.open(id);
  if (cgroup) await cgroup[Symbol.asyncDispose]();
  clearRunDirectory(parts, id);
}

/** Removes what no container owns: what a crash left of a create, a remove, an exec or an unlisted run. */
async function sweep(parts: EngineParts): Promise<void> {
  const known = new Set<string>([...parts.store.all()].map((record) => record.id));
  for (const id of parts.cgroups.list()) {
    if (known.has(id)) continue;
    const cgroup = parts.cgroups.open(id);
    await attempt(parts, `removing the cgroup ${id}`, async () => cgroup?.[Symbol.asyncDispose]());
  }
  for (const key of await parts.snapshots.activeKeys()) {
    if (known.has(key) || !isContainerId(key)) continue;
    await attempt(parts, `removing the snapshot ${key}`, () => parts.snapshots.remove(key));
  }
  for (const name of list(parts.paths.containers)) {
    if (known.has(name)) continue;
    const path = join(parts.paths.containers, name);
    await attempt(parts, `removing ${path}`, () => rm(path, { recursive: true, force: true }));
  }
  await attempt(parts, "removing unfinished trees", () =>
    rm(parts.paths.work, { recursive: true, force: true }),
  );
  await sweepViews(parts);
  const running = new Set([...parts.live.keys()].map((id) => parts.paths.runContainer(id)));
  for (const name of list(parts.paths.runContainers)) {
    const path = join(parts.paths.runContainers, name);
    if (!running.has(path)) rmSync(path, { recursive: true, force: true });
  }
  await sweepExecs(parts);
}

/** Images that were mounted to be looked at, when an engine was killed. */
async function sweepViews(parts: EngineParts): Promise<void> {
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

/** The monitors of execs outlive the engine as others do; no one can ask for their exit code any more. */
async function sweepExecs(parts: EngineParts): Promise<void> {
  for (const name of list(parts.paths.runExecs)) {
    const path = join(parts.paths.runExecs, name);
    if (name.endsWith(".exit")) rmSync(path, { force: true });
    else if (!(await answers(path))) rmSync(path, { force: true });
  }
}

async function answers(socket: string): Promise<boolean> {
  try {
    using _monitor = await connectMonitor(socket);
    return true;
  } catch (error) {
    if (isFault(error)) return false;
    throw error;
  }
}

async function attempt(
  parts: EngineParts,
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
