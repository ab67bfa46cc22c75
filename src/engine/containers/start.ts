import { mkdirSync } from "node:fs";
import { type ContainerId, Fault, faultOf, Scope } from "#base";
import { type Config, containerSpec, type HostConfig, logLimits } from "#container";
import type { Launch } from "#helper";
import { type Fd, pidfdOpen } from "#kernel";
import type { ContainerCgroup, OciSpec } from "#runtime";
import { crashPoint } from "../crash-point.ts";
import type { EngineParts } from "../parts.ts";
import { Trace } from "../trace.ts";
import { publishContainer, publishNetworks } from "./container-event.ts";
import { containerFiles, hostnameOf, writeContainerFiles } from "./container-files.ts";
import type { ContainerRecord } from "./container-record.ts";
import { allowRemount } from "./container-tree.ts";
import { clearRunDirectory, trackContainer } from "./exit.ts";
import { type CompiledLaunch, compileLaunch, type LaunchInput } from "./launch.ts";
import { removeContainer } from "./remove.ts";
import { leaveNetworks, type OpenSandbox, openNamespaceOf, openSandbox } from "./sandbox.ts";
import { describeStartFailure } from "./start-failure.ts";
import { lookupUser } from "./user-lookup.ts";

/** Starts a container that does not run; one that runs is `not_modified`. */
export async function startContainer(parts: EngineParts, ref: string): Promise<void> {
  const { id } = parts.store.find(ref);
  let failed: Fault | undefined;
  await parts.locks.run(id, async () => {
    checkStartable(parts, id);
    await parts.live.get(id)?.settled;
    const before = parts.store.find(id);
    try {
      await launchContainer(parts, before);
    } catch (error) {
      failed = recordFailure(parts, before, error);
    }
  });
  if (!failed) return;
  if (parts.store.get(id)?.host.AutoRemove) {
    await removeContainer(parts, id, { force: true });
  }
  throw failed;
}

function checkStartable(parts: EngineParts, id: ContainerId): void {
  const { state, name } = parts.store.find(id);
  if (parts.removing.has(id)) {
    throw new Fault("conflict", "container is marked for removal and cannot be started", {
      about: name,
    });
  }
  if (state.status === "running") {
    throw new Fault("not_modified", `container ${name} is already started`, { about: name });
  }
}

/** Remembers why the program does not run, with Docker's exit code for it; else all is as before. */
function recordFailure(parts: EngineParts, before: ContainerRecord, error: unknown): Fault {
  const { id, state, argv } = before;
  const failure = describeStartFailure(faultOf(error), argv[0] ?? "");
  const { exitCode, fault } = failure;
  parts.store.update(id, {
    starting: false,
    startTime: 0n,
    state: { ...state, exitCode, error: fault.message },
  });
  leaveNetworks(parts, id);
  parts.pendingAttaches.end(id);
  return fault;
}

/**
 * From a record to a running program. All that is acquired is in the scope until
 * the program runs; then `trackContainer` owns it until the container's end.
 */
async function launchContainer(parts: EngineParts, record: ContainerRecord): Promise<void> {
  const { id } = record;
  const trace = new Trace();
  await using scope = new Scope();
  const files = containerFiles(parts, record);
  await allowRemount(record);
  const spec = await specOf(parts, { ...record, files });
  trace.mark("spec");
  const { sandbox, cgroup } = await acquire(parts, record, { spec, scope });
  trace.mark("acquired");
  crashPoint("start:network-attached");
  await writeContainerFiles(parts, record, sandbox);
  clearRunDirectory(parts, id);
  scope.defer(() => clearRunDirectory(parts, id));
  mkdirSync(parts.paths.runContainer(id), { recursive: true, mode: 0o700 });
  trace.mark("files");
  const joined = {
    ...joinedNamespaces(parts, record, scope),
    ...(sandbox.netns && { net: sandbox.netns }),
  };
  using compiled = compileContainer(parts, record, { spec, joined, cgroup });
  trace.mark("compiled");
  const launch = scope.use(parts.helper.launch(compiled));
  trace.mark("spawned");
  const { pid, startTime } = await launch.created;
  trace.mark("created");
  crashPoint("start:launched");
  const pidfd = scope.use(await unlessFailed(launch, () => pidfdOpen(pid)));
  const tracked = trackContainer(parts, { id, pid, startTime, pidfd, cgroup, sandbox, launch });
  recordStarting(parts, record, { files, sandbox, pid, startTime });
  crashPoint("start:recorded");
  try {
    await unlessFailed(launch, () =>
      parts.pendingAttaches.connect(id, parts.paths.controlSocket(id)),
    );
    trace.mark("attached");
    launch.go();
    crashPoint("start:go-sent");
    await started(launch);
  } catch (error) {
    tracked.forget();
    throw error;
  }
  scope.release();
  // The container holds its network now; it shall go with it and not with us.
  sandbox.netns?.close();
  crashPoint("start:started");
  const running = parts.store.update(id, { starting: false });
  publishNetworks(parts, sandbox.stored, "connect");
  publishContainer(parts, running, "start");
  tracked.running();
  trace.mark("started");
  trace.write(parts.log, `start ${id.slice(0, 12)}`);
}

/** Before GO: what goes wrong because the launch has failed is told as that failure. */
async function unlessFailed<T>(launch: Launch, attempt: () => T | Promise<T>): Promise<T> {
  try {
    return await attempt();
  } catch (error) {
    launch.abandon();
    const reason = await launch.started.then(() => undefined, faultOf);
    throw reason?.stage === undefined ? error : reason;
  }
}

/** Once told to go, a launch that fails ends by itself; its mounts must be gone before the next try. */
async function started(launch: Launch): Promise<void> {
  try {
    await launch.started;
  } catch (error) {
    await launch.monitorExited;
    throw error;
  }
}

/** Before GO, in one write: what a restarted engine needs to take over or to clean up. */
function recordStarting(
  parts: EngineParts,
  record: ContainerRecord,
  run: Pick<ContainerRecord, "files" | "startTime"> & { sandbox: OpenSandbox; pid: number },
): void {
  const state = {
    status: "running",
    pid: run.pid,
    exitCode: 0,
    error: "",
    oomKilled: false,
    startedAt: parts.clock.now(),
    finishedAt: record.state.finishedAt,
  } as const;
  const { files, startTime } = run;
  parts.state.transaction(() => {
    parts.sandboxes.put(run.sandbox.stored);
    parts.store.update(record.id, { starting: true, startTime, files, state });
  });
}

/** Network and cgroup at the same time; when one fails the other is given back. */
async function acquire(
  parts: EngineParts,
  record: ContainerRecord,
  { spec, scope }: { readonly spec: OciSpec; readonly scope: Scope },
): Promise<{ readonly sandbox: OpenSandbox; readonly cgroup: ContainerCgroup }> {
  const [sandbox, cgroup] = await Promise.allSettled([
    openSandbox(parts, record),
    parts.cgroups.create(record.id, spec.linux?.resources ?? {}),
  ]);
  if (cgroup.status === "fulfilled") scope.use(cgroup.value);
  if (sandbox.status === "fulfilled") scope.defer(() => sandbox.value.release());
  if (sandbox.status === "rejected") throw sandbox.reason;
  if (cgroup.status === "rejected") throw cgroup.reason;
  return { sandbox: sandbox.value, cgroup: cgroup.value };
}

async function specOf(parts: EngineParts, record: ContainerRecord): Promise<OciSpec> {
  const { config, host } = record;
  const wanted = { user: config.User, groupAdd: host.GroupAdd };
  const { spec } = containerSpec({
    config,
    host,
    argv: record.argv,
    user: await lookupUser(parts.snapshots, record.id, wanted),
    hostname: hostnameOf(record),
    files: record.files,
    ...shmSource(record),
    machine: parts.machine,
  });
  return spec;
}

function compileContainer(
  parts: EngineParts,
  { id, config, host, root }: ContainerRecord,
  run: Pick<LaunchInput, "spec" | "joined"> & { readonly cgroup: ContainerCgroup },
): CompiledLaunch {
  return compileLaunch({
    id,
    ...run,
    root,
    rootAnchor: parts.paths.rootAnchor,
    stdio: stdioOf(config, host),
    ...(host.LogConfig.Type !== "none" && {
      log: { path: parts.paths.log(id), ...logLimits(host.LogConfig) },
    }),
    controlSocket: parts.paths.controlSocket(id),
    exitRecord: parts.paths.exitRecord(id),
    init: host.Init,
    machine: parts.machine,
  });
}

export function stdioOf(
  config: Config,
  { ConsoleSize }: Pick<HostConfig, "ConsoleSize">,
): LaunchInput["stdio"] {
  return {
    mode: config.Tty ? "pty" : "pipes",
    ...(config.Tty && ConsoleSize),
    stdin: config.OpenStdin,
    stdinOnce: config.OpenStdin && config.StdinOnce,
  };
}

/** The pid namespace of another container that this one shares. */
function joinedNamespaces(
  parts: EngineParts,
  { host }: ContainerRecord,
  scope: Scope,
): { readonly pid?: Fd } {
  if (!host.PidMode.startsWith("container:")) return {};
  return { pid: scope.use(openNamespaceOf(parts, host.PidMode, "pid", "PID")) };
}

function shmSource({ host }: ContainerRecord): { readonly shmSource?: string } {
  return host.IpcMode === "host" ? { shmSource: "/dev/shm" } : {};
}
