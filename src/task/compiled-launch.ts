import { defined } from "#base";
import { encodeNameless, encodePlan, type NamespaceKind, namePlan } from "#helper";
import { type Fd, O_PATH, O_RDONLY, openat2 } from "#kernel";
import {
  boundDescriptors,
  type CgroupEntry,
  type ContainerCgroup,
  compileExec,
  compilePlan,
  hostKind,
  joinedPaths,
  type Machine,
  type OciProcess,
} from "#runtime";
import type { ExecInput, PlannedTask, PlanOptions, TaskInput } from "./task.ts";
import type { TaskFiles } from "./task-files.ts";

/** The ground that a plan needs beside the input of a task. */
export interface PlanGround {
  readonly files: TaskFiles;
  readonly machine: Machine;
  readonly cgroup: ContainerCgroup;
}

/** A plan as bytes with the descriptors it names, which are closed by disposing once the helper has them. */
export interface CompiledLaunch extends Disposable {
  readonly plan: Uint8Array;
  /** The inherited table, in the order of the plan's indexes. */
  readonly fds: readonly Fd[];
}

/** The plan of a task, for which nothing is opened and the cgroup need not exist. */
export function planTask(
  input: TaskInput,
  ground: PlanGround,
  { kindOf = hostKind }: PlanOptions = {},
): PlannedTask {
  const { spec } = input;
  const entry = ground.cgroup.plannedEntry(
    joinedPaths(spec).length + boundDescriptors(spec).length,
  );
  return { plan: encodePlan(compileTask(input, ground, { entry, kindOf }).plan) };
}

/**
 * The same plan with its descriptors: the namespaces that are joined, open files that are bound, and
 * the task's cgroup. A plan
 * that is given is not compiled again.
 */
export function openTaskLaunch(
  input: TaskInput,
  ground: PlanGround,
  planned?: PlannedTask,
): CompiledLaunch {
  using opened = new DisposableStack();
  const namespaces = joinedPaths(input.spec).map((path) =>
    opened.use(openat2(undefined, path, { flags: O_RDONLY })),
  );
  const bound = boundDescriptors(input.spec).map((path) =>
    opened.use(openat2(undefined, path, { flags: O_PATH })),
  );
  const entry = openEntry(ground.cgroup.entry(namespaces.length + bound.length), opened);
  const plan =
    planned?.plan ?? encodePlan(compileTask(input, ground, { entry, kindOf: hostKind }).plan);
  return compiled(plan, [...namespaces, ...bound, ...entry.fds], opened);
}

/**
 * A process beside those of a task: it enters namespaces of the process that a pidfd is of. `known` has
 * what was compiled before, by the description of the process.
 */
export function openExecLaunch(
  input: ExecInput,
  { files, machine, cgroup }: PlanGround,
  { process, namespaces, known }: EnteredTask,
): CompiledLaunch {
  const { id } = input;
  const controlSocket = files.execSocket(id);
  using opened = new DisposableStack();
  const entry = openEntry(cgroup.entry(1, { watchOom: false }), opened);
  const nameless =
    known.get(input.process) ??
    encodeNameless(compileExec({ ...input, namespaces, cgroup: entry.cgroup, machine }).plan);
  known.set(input.process, nameless);
  const plan = namePlan(nameless, { id, controlSocket });
  return compiled(plan, [process, ...entry.fds], opened);
}

/** The task that a process is added to. */
export interface EnteredTask {
  /** The pidfd of its first process. */
  readonly process: Fd;
  readonly namespaces: readonly NamespaceKind[];
  readonly known: WeakMap<OciProcess, Uint8Array>;
}

function compileTask(
  { id, spec, root, stdio, log, init, sandbox }: TaskInput,
  { files, machine, cgroup }: PlanGround,
  found: {
    readonly entry: Omit<CgroupEntry, "fds">;
    readonly kindOf: NonNullable<PlanOptions["kindOf"]>;
  },
) {
  const { entry, kindOf } = found;
  return compilePlan({
    id,
    spec,
    rootMount: root,
    rootAnchor: files.rootAnchor,
    cgroup: entry.cgroup,
    ...defined({ oomCounter: entry.oomCounter, oomEvent: entry.oomEvent }),
    cgroupMounts: cgroup.mounts,
    stdio,
    ...defined({ log, sandbox }),
    controlSocket: files.controlSocket(id),
    exitRecord: files.exitRecord(id),
    init,
    machine,
    kindOf,
  });
}

function openEntry(entry: CgroupEntry, opened: DisposableStack): CgroupEntry {
  for (const fd of entry.fds) opened.use(fd);
  return entry;
}

function compiled(plan: Uint8Array, fds: readonly Fd[], opened: DisposableStack): CompiledLaunch {
  const owned = opened.move();
  return { plan, fds, [Symbol.dispose]: () => owned.dispose() };
}
