import { readFileSync } from "node:fs";
import { defined, Fault, isFault, Scope } from "#base";
import {
  attach,
  attachLaunch,
  connectMonitor,
  type Helper,
  type Launch,
  type Monitor,
  type NamespaceKind,
} from "#helper";
import { type Fd, O_RDONLY, openat2, pidfdSendSignal, startTime } from "#kernel";
import {
  type ContainerCgroup,
  type Machine,
  namespaceKind,
  type OciNamespaceType,
  type OciProcess,
  type OciResources,
} from "#runtime";
import { openExecLaunch } from "./compiled-launch.ts";
import { parseNetDev } from "./link-counters.ts";
import { NativeProcess, type NativeProcessOptions } from "./native-process.ts";
import type {
  AttachedStreams,
  ExecInput,
  StartedExec,
  Task,
  TaskLog,
  TaskStats,
  TaskStreams,
} from "./task.ts";
import type { TaskFiles } from "./task-files.ts";

/** The parts that the tasks of an engine share. */
export interface NativeGround {
  readonly helper: Helper;
  readonly files: TaskFiles;
  readonly machine: Machine;
}

/** Those that a container has or shares; user and time namespaces are not made. */
const enteredNamespaces: readonly NamespaceKind[] = ["mnt", "pid", "net", "ipc", "uts", "cgroup"];

export interface NativeTaskOptions extends NativeProcessOptions {
  /** Becomes the task's to close. */
  readonly pidfd: Fd;
  /** Absent: the program runs already. */
  readonly waiting?: {
    readonly launch: Launch;
    /** Takes back all that was made for it, the launch and the pidfd too. */
    readonly undo: AsyncDisposableStack;
  };
}

/** A task whose processes are this machine's, in a cgroup of its own. */
export class NativeTask extends NativeProcess implements Task {
  readonly outOfMemory: Promise<void>;
  readonly #ground: NativeGround;
  readonly #cgroup: ContainerCgroup;
  readonly #pidfd: Fd;
  readonly #execPlans = new WeakMap<OciProcess, Uint8Array>();
  #waiting: NativeTaskOptions["waiting"];

  constructor(options: NativeTaskOptions, ground: NativeGround, cgroup: ContainerCgroup) {
    super(options);
    this.#ground = ground;
    this.#cgroup = cgroup;
    this.#pidfd = options.pidfd;
    this.#waiting = options.waiting;
    void this.exited.then(() => this.#pidfd.close());
    const { promise, resolve } = Promise.withResolvers<void>();
    this.outOfMemory = promise;
    options.reports.onOom(resolve);
  }

  async start(): Promise<void> {
    const { launch } = this.#waiting ?? {};
    if (!launch) throw new Fault("conflict", `process ${this.pid} is started already`);
    await launch.run();
    this.#waiting?.undo.move();
    this.#waiting = undefined;
  }

  override async attach(streams: AttachedStreams): Promise<TaskStreams> {
    const { launch } = this.#waiting ?? {};
    return (launch && attachLaunch(launch, streams)) ?? (await super.attach(streams));
  }

  override async kill(signal: number): Promise<void> {
    if (!this.#pidfd.isOpen) throw new Fault("not_found", `process ${this.pid} has ended`);
    pidfdSendSignal(this.#pidfd, signal);
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await super[Symbol.asyncDispose]();
    await this.#waiting?.undo.disposeAsync();
    this.#pidfd.close();
  }

  async openLog(): Promise<TaskLog> {
    const monitor = await connectMonitor(this.socket);
    return {
      rotated: () => monitor.rotated(),
      hold: () => monitor.holdRotation(),
      limit: ({ maxSize, maxFiles }) => monitor.limitLog(maxSize, maxFiles),
      replace: (inode) => putCompressed(monitor, inode),
      [Symbol.dispose]: () => monitor.close(),
    };
  }

  async killAll(): Promise<void> {
    await this.#cgroup.killAll();
  }

  async exec(input: ExecInput): Promise<StartedExec> {
    const { helper, files } = this.#ground;
    const { id, attach: wanted } = input;
    if (!this.#pidfd.isOpen) throw this.#ended();
    await using scope = new Scope();
    using compiled = openExecLaunch(
      input,
      { ...this.#ground, cgroup: this.#cgroup },
      { process: this.#pidfd, namespaces: enteredNamespaces, known: this.#execPlans },
    );
    scope.defer(() => files.removeExec(id));
    const launch = scope.use(helper.launch(compiled));
    try {
      const streams = wanted && (await attachFirst(launch, files.execSocket(id), wanted));
      if (streams) scope.defer(() => detach(streams));
      await launch.run();
      const process = new NativeProcess({
        ...(await launch.created),
        id,
        controlSocket: files.execSocket(id),
        reports: launch,
      });
      scope.release();
      void process.exited.then(({ error }) => error?.stage === "monitor" && files.removeExec(id));
      return { process, ...defined({ streams }) };
    } catch (error) {
      throw isProcessGone(error) ? this.#ended(error) : error;
    }
  }

  async pids(): Promise<readonly number[]> {
    return this.#cgroup.processes();
  }

  async update(resources: Omit<OciResources, "devices">): Promise<readonly string[]> {
    return this.#cgroup.update(resources);
  }

  async stats(): Promise<TaskStats> {
    return { ...this.#cgroup.stats(), links: this.#links() };
  }

  async freeze(frozen: boolean): Promise<void> {
    await this.#cgroup.freeze(frozen);
  }

  /** The process is checked to be the one that is meant after its namespace was opened. */
  openNamespace(type: OciNamespaceType): Fd {
    using opened = new DisposableStack();
    try {
      const path = `/proc/${this.pid}/ns/${namespaceKind(type)}`;
      const namespace = opened.use(openat2(undefined, path, { flags: O_RDONLY }));
      if (startTime(this.pid) !== this.startTime) throw this.#ended();
      opened.move();
      return namespace;
    } catch (error) {
      throw isFault(error, "not_found") ? this.#ended(error) : error;
    }
  }

  #ended(cause?: unknown): Fault {
    return new Fault("conflict", `the first process of ${this.id} has ended`, {
      about: this.id,
      cause,
    });
  }

  #links(): TaskStats["links"] {
    try {
      const links = parseNetDev(readFileSync(`/proc/${this.pid}/net/dev`, "utf8"));
      if (startTime(this.pid) === this.startTime) return links;
    } catch (cause) {
      if (!isNoProcess(cause)) throw cause;
    }
    throw this.#ended();
  }
}

/** Behind the plan where that can be, else once there is a monitor to connect to. */
async function attachFirst(
  launch: Launch,
  socket: string,
  wanted: AttachedStreams,
): Promise<TaskStreams> {
  const attached = attachLaunch(launch, wanted);
  if (attached) return attached;
  await launch.created;
  return await attach(socket, wanted);
}

function detach({ input, output }: TaskStreams): void {
  input.destroy();
  output.destroy();
}

/** The launcher found nobody to join: process 1 ended after it was looked at. */
function isProcessGone(error: unknown): boolean {
  return isFault(error) && error.stage === "namespaces" && error.errno === "ESRCH";
}

function isNoProcess(error: unknown): boolean {
  const code = (error as { readonly code?: unknown }).code;
  return code === "ENOENT" || code === "ESRCH" || code === "EINVAL" || isFault(error, "not_found");
}

async function putCompressed(monitor: Monitor, inode: bigint): Promise<boolean> {
  try {
    await monitor.putCompressedLog(inode);
    return true;
  } catch (error) {
    if (isFault(error, "not_found")) return false;
    throw error;
  }
}
