import { readFileSync } from "node:fs";
import { Fault, isFault, Scope } from "#base";
import { connectMonitor, type Helper, type Monitor, type NamespaceKind } from "#helper";
import { type Fd, O_RDONLY, openat2, startTime } from "#kernel";
import {
  type ContainerCgroup,
  type Machine,
  namespaceKind,
  type OciNamespaceType,
  type OciResources,
} from "#runtime";
import { openExecLaunch } from "./compiled-launch.ts";
import { parseNetDev } from "./link-counters.ts";
import { NativeProcess, type NativeProcessOptions, openLaunched } from "./native-process.ts";
import type { ExecInput, Task, TaskLog, TaskProcess, TaskStats } from "./task.ts";
import type { TaskFiles } from "./task-files.ts";

/** The parts that the tasks of an engine share. */
export interface NativeGround {
  readonly helper: Helper;
  readonly files: TaskFiles;
  readonly machine: Machine;
}

/** Those that a container has or shares; user and time namespaces are not made. */
const enteredNamespaces: readonly NamespaceKind[] = ["mnt", "pid", "net", "ipc", "uts", "cgroup"];

/** A task whose processes are this machine's, in a cgroup of its own. */
export class NativeTask extends NativeProcess implements Task {
  readonly outOfMemory: Promise<void>;
  readonly #ground: NativeGround;
  readonly #cgroup: ContainerCgroup;

  constructor(options: NativeProcessOptions, ground: NativeGround, cgroup: ContainerCgroup) {
    super(options);
    this.#ground = ground;
    this.#cgroup = cgroup;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.outOfMemory = promise;
    options.reports.onOom(resolve);
  }

  async openLog(): Promise<TaskLog> {
    const monitor = await connectMonitor(this.socket);
    return {
      rotated: () => monitor.rotated(),
      hold: () => monitor.holdRotation(),
      replace: (inode) => putCompressed(monitor, inode),
      [Symbol.dispose]: () => monitor.close(),
    };
  }

  async killAll(): Promise<void> {
    await this.#cgroup.killAll();
  }

  async exec(input: ExecInput): Promise<TaskProcess> {
    const { helper, files } = this.#ground;
    const { id } = input;
    await using scope = new Scope();
    const namespaces = this.#openNamespaces(enteredNamespaces);
    using compiled = openExecLaunch(input, { ...this.#ground, cgroup: this.#cgroup }, namespaces);
    scope.defer(() => files.removeExec(id));
    const launch = scope.use(helper.launch(compiled));
    const launched = await openLaunched(launch);
    scope.use(launched.pidfd);
    const undo = scope.release();
    const process = new NativeProcess({
      ...launched,
      id,
      controlSocket: files.execSocket(id),
      exitRecord: files.execExitRecord(id),
      reports: launch,
      waiting: { launch, undo },
    });
    void process.released.then(() => files.removeExec(id));
    return process;
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

  openNamespace(type: OciNamespaceType): Fd {
    const [[, fd] = []] = this.#openNamespaces([namespaceKind(type)]);
    if (!fd) throw new Fault("internal", `no namespace ${type} was opened`);
    return fd;
  }

  #links(): TaskStats["links"] {
    try {
      const links = parseNetDev(readFileSync(`/proc/${this.pid}/net/dev`, "utf8"));
      if (startTime(this.pid) === this.startTime) return links;
    } catch (cause) {
      if (!isNoProcess(cause)) throw cause;
    }
    throw new Fault("conflict", `the first process of ${this.id} has ended`, { about: this.id });
  }

  /** The process is checked to be the one that is meant after its namespaces were opened. */
  #openNamespaces(kinds: readonly NamespaceKind[]): readonly (readonly [NamespaceKind, Fd])[] {
    using opened = new DisposableStack();
    const ended = (cause?: unknown) =>
      new Fault("conflict", `the first process of ${this.id} has ended`, { about: this.id, cause });
    try {
      const namespaces = kinds.map((kind) => {
        const path = `/proc/${this.pid}/ns/${kind}`;
        return [kind, opened.use(openat2(undefined, path, { flags: O_RDONLY }))] as const;
      });
      if (startTime(this.pid) !== this.startTime) throw ended();
      opened.move();
      return namespaces;
    } catch (error) {
      throw isFault(error, "not_found") ? ended(error) : error;
    }
  }
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
