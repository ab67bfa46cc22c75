import { Fault, faultOf, isFault, type Log, Scope, silentLog } from "#base";
import {
  connectMonitor,
  type ExitRecord,
  type Helper,
  type Launch,
  type Monitor,
  readExitRecord,
} from "#helper";
import { type Fd, pidfdOpen, startTime } from "#kernel";
import { type Cgroups, type ContainerCgroup, type Machine, readMachine } from "#runtime";
import { openTaskLaunch, planTask } from "./compiled-launch.ts";
import type { ProcessReports } from "./native-process.ts";
import { type NativeGround, NativeTask } from "./native-task.ts";
import type {
  KnownTask,
  PlannedTask,
  PlanOptions,
  Task,
  TaskExit,
  TaskInput,
  Tasks,
} from "./task.ts";
import { TaskFiles } from "./task-files.ts";

/** The parts that run the tasks of one engine. */
export interface NativeTasksOptions {
  readonly helper: Helper;
  readonly cgroups: Cgroups;
  /** The directory of control sockets and exit records; `invalid` when it is too long for a socket's name (unix(7)). */
  readonly runRoot: string;
  readonly log?: Log;
}

/** Tasks over our own launcher: namespaces and cgroups of this machine's kernel. */
export function openNativeTasks(options: NativeTasksOptions): Tasks {
  return new NativeTasks(options);
}

class NativeTasks implements Tasks {
  readonly machine: Machine;
  readonly #ground: NativeGround;
  readonly #cgroups: Cgroups;
  readonly #files: TaskFiles;
  readonly #log: Log;

  constructor({ helper, cgroups, runRoot, log = silentLog }: NativeTasksOptions) {
    this.machine = readMachine(cgroups);
    this.#files = new TaskFiles(runRoot);
    this.#ground = { helper, files: this.#files, machine: this.machine };
    this.#cgroups = cgroups;
    this.#log = log;
  }

  plan(input: TaskInput, options?: PlanOptions): PlannedTask {
    const cgroup = this.#cgroups.planned(input.id, input.cgroupParent);
    return planTask(input, { ...this.#ground, cgroup }, options);
  }

  async create(input: TaskInput, planned?: PlannedTask): Promise<Task> {
    const { id, spec, cgroupParent } = input;
    const resources = spec.linux?.resources ?? {};
    await using scope = new Scope();
    scope.defer(() => this.#files.remove(id));
    // First, so that after a crash the cgroup is found wherever it is.
    this.#files.prepare(id, cgroupParent);
    const cgroup = scope.use(await this.#cgroups.create(id, resources, cgroupParent));
    using compiled = openTaskLaunch(input, { ...this.#ground, cgroup }, planned);
    const launch = scope.use(this.#ground.helper.launch(compiled));
    const launched = await openLaunched(launch);
    scope.use(launched.pidfd);
    const waiting = { launch, undo: scope.release() };
    const options = { ...launched, ...this.#places(id), reports: launch, waiting };
    return new NativeTask(options, this.#ground, cgroup);
  }

  async adopt(known: KnownTask): Promise<Task | undefined> {
    const { id, pid } = known;
    const monitor = await this.#findMonitor(known);
    if (!monitor) return undefined;
    using opened = new DisposableStack();
    opened.use(monitor);
    const cgroup = this.#open(id);
    if (!cgroup) throw new Fault("internal", `task ${id} runs without a cgroup`);
    const pidfd = opened.use(pidfdOpen(pid));
    const reports = monitorReports(monitor);
    opened.move();
    const options = { ...known, ...this.#places(id), pidfd, reports };
    return new NativeTask(options, this.#ground, cgroup);
  }

  async exitRecord(id: string): Promise<TaskExit | undefined> {
    return await readExitRecord(this.#files.exitRecord(id));
  }

  async remove(
    id: string,
    { keepExitRecord = false }: { readonly keepExitRecord?: boolean } = {},
  ): Promise<void> {
    await this.#open(id)?.[Symbol.asyncDispose]();
    if (!keepExitRecord) await this.#files.remove(id);
  }

  async sweep(keep: ReadonlySet<string>): Promise<void> {
    for (const id of new Set([...this.#cgroups.list(), ...this.#files.withOwnParent()])) {
      if (!keep.has(id)) await this.#attempt(`removing the task ${id}`, () => this.remove(id));
    }
    await this.#attempt("removing files of tasks", () => this.#files.sweep(keep));
    // The monitors of execs outlive the engine as others do, but their exit codes can no longer be
    // asked for.
    await this.#attempt("removing files of execs", () => this.#files.sweepExecs(answers));
  }

  #open(id: string): ContainerCgroup | undefined {
    return this.#cgroups.open(id, this.#files.cgroupParent(id));
  }

  /** The task's monitor, if it is the one that is known. */
  async #findMonitor({ id, pid, startTime: begun }: KnownTask): Promise<Monitor | undefined> {
    let monitor: Monitor;
    try {
      monitor = await connectMonitor(this.#files.controlSocket(id));
    } catch (error) {
      this.#log.debug("no monitor answers", { id, error: faultOf(error).message });
      return undefined;
    }
    try {
      const status = await monitor.status();
      const isSame = status.id === id && status.pid === pid && status.startTime === begun;
      if (isSame && status.state === "running" && startTime(pid) === begun) return monitor;
    } catch (error) {
      this.#log.warn("a monitor does not answer", { id, error: faultOf(error).message });
    }
    monitor.close();
    return undefined;
  }

  #places(id: string) {
    return {
      id,
      controlSocket: this.#files.controlSocket(id),
      exitRecord: this.#files.exitRecord(id),
    };
  }

  async #attempt(doing: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#log.error(`${doing} failed`, { error: faultOf(error).message });
    }
  }
}

/** The pidfd of a launch that waits for its start. */
async function openLaunched(launch: Launch): Promise<{
  readonly pid: number;
  readonly startTime: bigint;
  readonly pidfd: Fd;
}> {
  const { pid, startTime } = await launch.created;
  try {
    return { pid, startTime, pidfd: pidfdOpen(pid) };
  } catch (error) {
    // What follows from a failed launch is told as that failure.
    launch.abandon();
    const reason = await launch.started.then(() => undefined, faultOf);
    throw reason?.stage === undefined ? error : reason;
  }
}

function monitorReports(monitor: Monitor): ProcessReports {
  const { promise: exited, resolve, reject } = Promise.withResolvers<ExitRecord>();
  let onOom: () => void = () => undefined;
  monitor.watch({ onOom: () => onOom(), onExit: resolve });
  void monitor.closed.then(() =>
    reject(new Fault("unavailable", "the monitor ended without a word")),
  );
  return {
    exited,
    monitorExited: monitor.closed,
    onOom: (notice) => {
      onOom = notice;
    },
    [Symbol.asyncDispose]: async () => monitor.close(),
  };
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
