import { type ContainerId, Fault, faultOf, Scope } from "#base";
import { networkModeOf } from "#container";
import { descriptorPath } from "#kernel";
import type { Task, TaskInput } from "#task";
import { crashPoint } from "../crash-point.ts";
import { moveLinks } from "../networks/links.ts";
import { serveNames } from "../networks/resolution.ts";
import type { Parts } from "../parts.ts";
import { Trace } from "../trace.ts";
import { bindOwners, ownersFault } from "./bind-owners.ts";
import { checkPropagation } from "./bind-propagation.ts";
import { publishContainer, publishNetworks } from "./container-event.ts";
import { containerFiles, writeContainerFiles } from "./container-files.ts";
import type { ContainerRecord } from "./container-record.ts";
import { allowRemount } from "./container-tree.ts";
import { holdVolumes } from "./container-volumes.ts";
import { requireUndebugged } from "./debug-session.ts";
import { type TrackParts, trackContainer } from "./exit.ts";
import { joinsContainer, openJoined } from "./joined-container.ts";
import { publishPorts, type RunPorts } from "./published-ports.ts";
import { removeContainer } from "./remove.ts";
import { leaveNetworks, type OpenSandbox, openSandbox } from "./sandbox.ts";
import { mountSharedMemory, unmountSharedMemory } from "./shared-memory.ts";
import { describeStartFailure, startRefused } from "./start-failure.ts";
import { type RunInput, taskInput, unopened, withJoined } from "./task-input.ts";
import { lookupUser } from "./user-lookup.ts";

/** The parts that a start touches: those of its end, and those that a run is made of. */
export type StartParts = TrackParts &
  Parts<"state" | "networks" | "ports" | "plannedStarts" | "debugging">;

/** Starts a container that does not run; one that runs is `not_modified`. */
export async function startContainer(parts: StartParts, ref: string): Promise<void> {
  const { id } = parts.store.find(ref);
  const failed = await parts.locks.run(id, async () => {
    checkStartable(parts, id);
    parts.restarts.forget(id);
    return await tryLaunch(parts, id, { restartCount: 0 });
  });
  if (!failed) return;
  if (parts.store.get(id)?.host.AutoRemove) {
    await removeContainer(parts, id, { force: true, volumes: true });
  }
  throw failed;
}

/**
 * The next start of a container whose policy asks for it; nothing where its user was faster. One
 * that cannot be started has ended for good, as in Docker.
 */
export async function startAgain(parts: StartParts, id: ContainerId): Promise<void> {
  await parts.locks.run(id, async () => {
    const record = parts.store.get(id);
    if (record?.state.status !== "restarting" || parts.removing.has(id)) return;
    const failed = await tryLaunch(parts, id, { restartCount: record.restartCount + 1 });
    if (!failed) return;
    parts.restarts.forget(id);
    parts.waits.exited(id, { exitCode: parts.store.find(id).state.exitCode });
    parts.log.error("a container could not be started again", { id, error: failed.message });
  });
}

/** Why it could not be launched, which its state tells as well. */
async function tryLaunch(
  parts: StartParts,
  id: ContainerId,
  count: Pick<ContainerRecord, "restartCount">,
): Promise<Fault | undefined> {
  await parts.live.get(id)?.settled;
  await parts.logCompression.stop(id);
  const before = parts.store.find(id);
  try {
    await launchContainer(parts, { ...before, ...count });
    return undefined;
  } catch (error) {
    return recordFailure(parts, before, error);
  }
}

function checkStartable(parts: Parts<"store" | "removing" | "debugging">, id: ContainerId): void {
  const { state, name } = parts.store.find(id);
  if (parts.removing.has(id)) {
    throw new Fault("conflict", "container is marked for removal and cannot be started", {
      about: name,
    });
  }
  requireUndebugged(parts, { id, name }, "cannot be started");
  if (state.status === "paused") {
    throw new Fault("conflict", "cannot start a paused container, try unpause instead", {
      about: name,
    });
  }
  if (state.status === "running" || state.status === "restarting") {
    throw new Fault("not_modified", `container ${name} is already started`, { about: name });
  }
}

/** Remembers why the program does not run, with Docker's exit code for it; else all is as before. */
function recordFailure(
  parts: Parts<"store" | "sandboxes" | "events" | "pendingAttaches">,
  before: ContainerRecord,
  error: unknown,
): Fault {
  const { id, state, argv } = before;
  const failure = describeStartFailure(ownersFault(before, faultOf(error)), argv[0] ?? "");
  const { exitCode, fault } = failure;
  parts.store.note(id, {
    starting: false,
    startTime: 0n,
    state: {
      ...state,
      status: state.status === "restarting" ? "exited" : state.status,
      exitCode,
      error: fault.stage === undefined ? fault.message : `${startRefused}: ${fault.message}`,
    },
  });
  publishNetworks(parts, parts.sandboxes.get(id), "disconnect");
  leaveNetworks(parts, id);
  parts.pendingAttaches.end(id);
  return fault;
}

/**
 * From a record to a running program. All that is acquired is in the scope until
 * the program runs; then `trackContainer` owns it until the container's end.
 */
async function launchContainer(parts: StartParts, record: ContainerRecord): Promise<void> {
  const { id } = record;
  const trace = new Trace();
  await using scope = new Scope();
  const files = containerFiles(parts, record);
  checkPropagation(record);
  await allowRemount(record);
  const wanted = { user: record.config.User, groupAdd: record.host.GroupAdd };
  const user = await lookupUser(parts.snapshots, id, wanted);
  scope.defer(() => unmountSharedMemory(parts, id));
  await mountSharedMemory(parts, record);
  const sandbox = await openSandbox(parts, record).catch((error) => {
    throw networkFault(record, faultOf(error));
  });
  scope.defer(() => sandbox.release());
  trace.mark("sandbox");
  crashPoint("start:network-attached");
  const names = scope.use(serveNames(parts, record, sandbox));
  const ports = scope.use(publishPorts(parts, record, sandbox));
  await writeContainerFiles(parts, record, sandbox);
  trace.mark("files");
  using namespaces = new DisposableStack();
  const joined = joinedNamespaces(parts, record, { sandbox, namespaces });
  await using held = await holdVolumes(parts, record, scope);
  const made = parts.plannedStarts.take(record, user);
  const planned = held.sources.size === 0 ? made : undefined;
  const input = planned
    ? withJoined(planned.input, joined)
    : await ownInput(parts, { ...record, files }, { user, joined, sources: held.sources });
  const task = scope.use(await parts.tasks.create(input, planned?.planned));
  trace.mark("created");
  crashPoint("start:launched");
  await names.ready;
  crashPoint("start:names-served");
  trace.mark("names");
  await ports.ready;
  trace.mark("ports");
  ports.hold(task);
  const tracked = trackContainer(parts, { id, task, sandbox, ports });
  recordStarting(parts, record, { files, sandbox, task, ports });
  crashPoint("start:recorded");
  try {
    await parts.pendingAttaches.connect(id, task);
    trace.mark("attached");
    const running = task.start();
    crashPoint("start:go-sent");
    await running;
  } catch (error) {
    tracked.forget();
    throw error;
  }
  scope.release();
  // The container holds its network now; it shall go with it and not with us.
  sandbox.netns?.close();
  crashPoint("start:started");
  const started = parts.store.update(id, { starting: false });
  moveLinks(parts, id);
  publishNetworks(parts, sandbox.stored, "connect");
  publishContainer(parts, started, "start");
  tracked.running();
  trace.mark("started");
  trace.write(parts.log, `start ${id.slice(0, 12)}`);
}

/** The input of a run whose plan was not made ahead. */
async function ownInput(
  parts: StartParts,
  record: ContainerRecord,
  run: RunInput,
): Promise<TaskInput> {
  const owners = await bindOwners(parts, record, { key: record.id, user: run.user });
  return taskInput(parts, record, { ...run, owners });
}

/** Why a container has no network, in Docker's words. */
function networkFault({ host }: ContainerRecord, cause: Fault): Fault {
  if (networkModeOf(host).kind === "container") return cause;
  const message = `failed to set up container networking: ${cause.message}`;
  return new Fault(cause.code, message, { cause });
}

/**
 * Before the program runs, in one write: the facts by which a restarted engine takes it over or
 * cleans up.
 */
function recordStarting(
  parts: Parts<"state" | "clock" | "store" | "sandboxes">,
  record: ContainerRecord,
  run: Pick<ContainerRecord, "files"> & {
    readonly sandbox: OpenSandbox;
    readonly task: Task;
    readonly ports: RunPorts;
  },
): void {
  const { files, sandbox, task, ports } = run;
  const state = {
    status: "running",
    pid: task.pid,
    exitCode: 0,
    error: "",
    oomKilled: false,
    startedAt: parts.clock.now(),
    finishedAt: record.state.finishedAt,
  } as const;
  parts.state.transaction(() => {
    parts.sandboxes.put(sandbox.stored);
    ports.record();
    parts.store.update(record.id, {
      starting: true,
      startTime: task.startTime,
      restartCount: record.restartCount,
      endedUnhealthy: false,
      stoppedByUser: false,
      files,
      state,
    });
  });
}

/** The network of the run and, where they are shared, namespaces of another container. */
function joinedNamespaces(
  parts: Parts<"store" | "live">,
  record: ContainerRecord,
  run: { readonly sandbox: OpenSandbox; readonly namespaces: DisposableStack },
): RunInput["joined"] {
  const { sandbox, namespaces } = run;
  const joined = {
    ...unopened,
    ...(sandbox.netns && { network: descriptorPath(sandbox.netns) }),
  };
  const open = (type: "pid" | "ipc") =>
    descriptorPath(namespaces.use(openJoined(parts, record, type)));
  return {
    ...joined,
    ...(joinsContainer(record.host.PidMode) && { pid: open("pid") }),
    ...(joinsContainer(record.host.IpcMode) && { ipc: open("ipc") }),
  };
}
