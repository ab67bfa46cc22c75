import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { defined, Fault, isFault, poll } from "#base";
import type { FdIndex, LaunchPlan } from "#helper";
import {
  attachDeviceProgram,
  eventFd,
  type Fd,
  O_DIRECTORY,
  O_RDONLY,
  O_WRONLY,
  openat2,
  pidfdOpen,
  pidfdSendSignal,
  writeSetting,
} from "#kernel";
import type { CgroupMount } from "../compile-mount.ts";
import type { OciDeviceRule, OciResources } from "../oci-resources.ts";
import { compileDeviceProgram } from "./device-program.ts";
import { type Hierarchy, hierarchyName, type Layout } from "./hierarchy.ts";
import { type Setting, settingsV1, settingsV2 } from "./setting.ts";
import { type CgroupStats, parseKeyed, statsV1, statsV2 } from "./stats.ts";
import { processesIn, readSetting, tryRemove } from "./tree.ts";

/**
 * The descriptors by which a plan puts a container into its cgroups. The caller closes them once
 * the helper has them.
 */
export interface CgroupEntry {
  readonly cgroup: NonNullable<LaunchPlan["cgroup"]>;
  readonly oomCounter?: FdIndex;
  readonly oomEvent?: FdIndex;
  /** In order of their indices, the first of which was given to `entry`. */
  readonly fds: readonly Fd[];
}

/** A container's directory in one hierarchy. */
export interface Membership {
  readonly hierarchy: Hierarchy;
  readonly path: string;
}

const SIGKILL = 9;
/** While the last processes are leaving: 1.3 s in all. */
const patience = { attempts: 13, base: 1, max: 256 };

/**
 * The cgroups of one container, which exist from `Cgroups.create` until `remove`. Disposing kills
 * the processes in them and removes them.
 */
export class ContainerCgroup implements AsyncDisposable {
  readonly #layout: Layout;
  readonly #members: readonly Membership[];
  readonly #warnings: string[] = [];

  constructor(layout: Layout, members: readonly Membership[]) {
    this.#layout = layout;
    this.#members = members;
  }

  /** Absolute directories: v1 one per hierarchy, v2 one. */
  get paths(): readonly string[] {
    return this.#members.map((member) => member.path);
  }

  /** v1: the mounts for /sys/fs/cgroup of the container, for `compilePlan`; v2: empty. */
  get mounts(): readonly CgroupMount[] {
    if (this.#layout.version === 2) return [];
    return this.#members.map(({ hierarchy, path }) => ({ name: hierarchyName(hierarchy), path }));
  }

  /** Sentences about limits that were asked for and that this machine lacks. */
  get warnings(): readonly string[] {
    return this.#warnings;
  }

  /**
   * Opens the descriptors for the helper; nothing is moved, the container's first process enters by
   * itself. An exec needs no watch for OOM, since its container has one.
   */
  entry(firstIndex: number, { watchOom = true } = {}): CgroupEntry {
    const fds: Fd[] = [];
    const add = (fd: Fd) => (firstIndex + fds.push(fd) - 1) as FdIndex;
    try {
      if (this.#layout.version === 2) {
        const [path = ""] = this.paths;
        const directory = add(openat2(undefined, path, { flags: O_RDONLY | O_DIRECTORY }));
        const events = watchOom ? openIfThere(`${path}/memory.events`) : undefined;
        return {
          cgroup: { version: 2, directory },
          ...defined({ oomCounter: events && add(events) }),
          fds,
        };
      }
      const tasks = this.paths.map((path) =>
        add(openat2(undefined, `${path}/tasks`, { flags: O_WRONLY })),
      );
      return { cgroup: { version: 1, tasks }, ...(watchOom && this.#watchOom(add)), fds };
    } catch (error) {
      for (const fd of fds) fd.close();
      throw error;
    }
  }

  /**
   * The result of `entry` once the cgroup is made, without opening anything: for a plan that is
   * only shown.
   */
  plannedEntry(firstIndex: number): Omit<CgroupEntry, "fds"> {
    let next = firstIndex;
    const take = () => next++ as FdIndex;
    const [path = ""] = this.paths;
    if (this.#layout.version === 2) {
      const directory = take();
      const enabled = readSetting(`${dirname(path)}/cgroup.subtree_control`) ?? "";
      const hasMemory = enabled.trim().split(" ").includes("memory");
      return { cgroup: { version: 2, directory }, ...(hasMemory && { oomCounter: take() }) };
    }
    const tasks = this.paths.map(take);
    const memory = this.#pathOf("memory");
    const isWatched = memory && existsSync(`${dirname(memory)}/memory.oom_control`);
    const watched = isWatched && { oomCounter: take(), oomEvent: take() };
    return { cgroup: { version: 1, tasks }, ...watched };
  }

  /** memory.oom_control counts kills and, through cgroup.event_control, signals an eventfd when one is near. */
  #watchOom(add: (fd: Fd) => FdIndex): { oomCounter?: FdIndex; oomEvent?: FdIndex } {
    const memory = this.#pathOf("memory");
    const control = memory && openIfThere(`${memory}/memory.oom_control`);
    if (!control) return {};
    const oomCounter = add(control);
    const event = eventFd();
    const oomEvent = add(event);
    writeSetting(`${memory}/cgroup.event_control`, `${event.number} ${control.number}`);
    return { oomCounter, oomEvent };
  }

  /** Applies limits; a field that is absent keeps its limit. */
  apply(resources: OciResources): void {
    const { settings, warnings } =
      this.#layout.version === 2 ? settingsV2(resources) : settingsV1(resources);
    this.#warnings.push(...warnings);
    for (const run of runsOfOneFile(this.#inSafeOrder(settings))) this.#write(run);
    if (this.#layout.version === 2 && resources.devices) this.#restrictDevices(resources.devices);
  }

  /**
   * v2: a program of the cgroup's own. A process that may not load one gives a warning; any other
   * failure is a fault.
   */
  #restrictDevices(rules: readonly OciDeviceRule[]): void {
    const program = compileDeviceProgram(rules);
    if (!program) return;
    const [path = ""] = this.paths;
    using directory = openat2(undefined, path, { flags: O_RDONLY | O_DIRECTORY });
    try {
      attachDeviceProgram(directory, program);
    } catch (error) {
      if (!isFault(error, "denied")) throw error;
      this.#warnings.push(
        "devices are not restricted: this process may not load a program for its cgroups (CAP_BPF)",
      );
    }
  }

  /** Changes limits of a container that runs; gives the warnings that come with it. */
  update(resources: OciResources): readonly string[] {
    this.#checkBeforeUpdate(resources);
    const known = this.#warnings.length;
    try {
      this.apply(resources);
      return this.#warnings.slice(known);
    } catch (error) {
      if (isFault(error) && error.errno === "EBUSY")
        throw new Fault(
          "conflict",
          `cannot lower the limit: the container uses more than that now (${error.about})`,
          { cause: error, errno: "EBUSY" },
        );
      throw error;
    }
  }

  /** v1 refuses by itself; v2 would reclaim, and kill when that is not enough. */
  #checkBeforeUpdate({ memory = {} }: OciResources): void {
    const { checkBeforeUpdate, limit = 0 } = memory;
    const { usage } = this.stats().memory;
    if (!checkBeforeUpdate || limit <= 0 || usage <= limit) return;
    throw new Fault("conflict", `cannot lower memory to ${limit}: the container uses ${usage} now`);
  }

  /** v1 keeps memory at or below memory and swap at every moment, so raising starts with the sum. */
  #inSafeOrder(settings: readonly Setting[]): readonly Setting[] {
    const memory = settings.find((setting) => setting.file === "memory.limit_in_bytes");
    const total = settings.find((setting) => setting.file === "memory.memsw.limit_in_bytes");
    if (!memory || !total) return settings;
    const now = Number(this.#read("memory", total.file) ?? Number.POSITIVE_INFINITY);
    if (Number(memory.value) <= now) return settings;
    return [total, ...settings.filter((setting) => setting !== total)];
  }

  #write([setting, ...more]: readonly [Setting, ...Setting[]]): void {
    const path = this.#pathOf(setting.controller);
    try {
      if (!path) throw new Fault("not_found", `the ${setting.controller} controller is missing`);
      writeSetting(`${path}/${setting.file}`, setting.value, ...more.map(({ value }) => value));
    } catch (error) {
      if (!isFault(error, "not_found") || this.paths.length === 0) throw error;
      if (setting.orWarn) this.#warnings.push(setting.orWarn);
      else
        throw new Fault(
          "unsupported",
          `cannot limit ${setting.file}: this machine has no ${setting.controller} controller; enable it in the kernel or leave the limit out`,
          { about: setting.file, cause: error },
        );
    }
  }

  #pathOf(controller: string): string | undefined {
    if (this.#layout.version === 2) return this.paths[0];
    return this.#members.find(({ hierarchy }) => hierarchy.controllers.includes(controller))?.path;
  }

  #read(controller: string, file: string): string | undefined {
    const path = this.#pathOf(controller);
    return path && readSetting(`${path}/${file}`);
  }

  /** The usage now. Files that this kernel lacks count as 0 or are absent. */
  stats(): CgroupStats {
    const read = (controller: string, file: string) => this.#read(controller, file);
    return this.#layout.version === 2 ? statsV2(read) : statsV1(read);
  }

  /** Processes the OOM killer ended in here so far. */
  oomKills(): number {
    const file = this.#layout.version === 2 ? "memory.events" : "memory.oom_control";
    return parseKeyed(this.#read("memory", file)).oom_kill ?? 0;
  }

  /** Stops or goes on with every process; settles when the kernel has done so. */
  async freeze(frozen: boolean): Promise<void> {
    const v2 = this.#layout.version === 2;
    const path = this.#pathOf("freezer");
    if (!path)
      throw new Fault("unsupported", "cannot pause: the freezer controller is not mounted");
    const state = v2 ? (frozen ? "1" : "0") : frozen ? "FROZEN" : "THAWED";
    const file = v2 ? "cgroup.freeze" : "freezer.state";
    const reached = () =>
      v2
        ? (readSetting(`${path}/cgroup.events`) ?? "").includes(`frozen ${state}`)
        : (readSetting(`${path}/freezer.state`) ?? "").trim() === state;
    const isSettled = await poll(() => {
      // v1 tells of a fork it missed by staying FREEZING; writing again gathers it.
      writeSetting(`${path}/${file}`, state);
      return reached();
    }, patience);
    if (!isSettled) throw new Fault("timeout", `the processes in ${path} did not become ${state}`);
  }

  /** Host pids, those in cgroups made inside the container too. */
  processes(): readonly number[] {
    const first = this.#pathOf("pids") ?? this.#pathOf("memory") ?? this.paths[0];
    return first === undefined ? [] : processesIn(first);
  }

  /** Ends every process with SIGKILL and waits until all are gone; `timeout` when some would not go. */
  async killAll(): Promise<void> {
    const areGone = await poll(async () => {
      const pids = this.processes();
      if (pids.length === 0) return true;
      const isWhole = this.#layout.version === 2 && this.#killWhole();
      if (!isWhole) await this.#killEach(pids);
      return false;
    }, patience);
    if (areGone) return;
    throw new Fault(
      "timeout",
      `processes ${this.processes().join(", ")} do not end on SIGKILL; they wait for the kernel`,
    );
  }

  /** cgroup.kill (Linux 5.14) reaches forks that happen meanwhile as well. */
  #killWhole(): boolean {
    const [path = ""] = this.paths;
    if (readSetting(`${path}/cgroup.type`) === undefined) return false;
    try {
      writeSetting(`${path}/cgroup.kill`, "1");
      return true;
    } catch (error) {
      if (isFault(error, "not_found")) return false;
      throw error;
    }
  }

  /** Frozen processes cannot fork away from the signal; it takes effect when they thaw. */
  async #killEach(pids: readonly number[]): Promise<void> {
    const freezer = this.#pathOf("freezer");
    const v1 = this.#layout.version === 1 && freezer;
    if (v1) writeSetting(`${freezer}/freezer.state`, "FROZEN");
    try {
      for (const pid of new Set([...pids, ...this.processes()])) this.#kill(pid);
    } finally {
      if (v1) writeSetting(`${freezer}/freezer.state`, "THAWED");
    }
  }

  /** The pid may have gone and come again since it was read: its cgroups are asked for once more while a pidfd holds it. */
  #kill(pid: number): void {
    try {
      using process = pidfdOpen(pid);
      const cgroups = readSetting(`/proc/${pid}/cgroup`) ?? "";
      if (this.#isMember(cgroups)) pidfdSendSignal(process, SIGKILL);
    } catch (error) {
      if (!isFault(error, "not_found")) throw error;
    }
  }

  /**
   * By the last two names of the path, since the names before them depend on the cgroup namespace
   * of the engine.
   */
  #isMember(procCgroup: string): boolean {
    const [path = ""] = this.paths;
    const own = `/${path.split("/").slice(-2).join("/")}/`;
    return procCgroup.split("\n").some((line) => `${line}/`.includes(own));
  }

  /** Removes the directories; waits a little for the last process to be gone. `conflict` when some stays. */
  async remove(): Promise<void> {
    const removeAll = () => this.paths.filter((path) => !tryRemove(path)).length === 0;
    if (await poll(removeAll, patience)) return;
    const pids = this.processes();
    throw new Fault(
      "conflict",
      `cannot remove the cgroup ${this.paths[0]}: ${pids.length > 0 ? `processes ${pids.join(", ")} still run in it` : "the kernel still holds it"}`,
      { about: this.paths[0] ?? "" },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.killAll();
    await this.remove();
  }
}

/** Settings that follow one another in the same file, so that it is opened once. */
function runsOfOneFile(settings: readonly Setting[]): readonly [Setting, ...Setting[]][] {
  const runs: [Setting, ...Setting[]][] = [];
  for (const setting of settings) {
    const last = runs.at(-1);
    if (last?.[0].file === setting.file) last.push(setting);
    else runs.push([setting]);
  }
  return runs;
}

function openIfThere(path: string): Fd | undefined {
  try {
    return openat2(undefined, path, { flags: O_RDONLY });
  } catch (error) {
    if (isFault(error, "not_found")) return undefined;
    throw error;
  }
}
