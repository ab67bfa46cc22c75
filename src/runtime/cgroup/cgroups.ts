import { existsSync, readdirSync, readFileSync } from "node:fs";
import { Fault, isFault } from "#base";
import { mkdirat, mountTable, writeSetting } from "#kernel";
import type { OciResources } from "../oci-resources.ts";
import { ContainerCgroup, type Membership } from "./container-cgroup.ts";
import { findLayout, type Hierarchy, type Layout } from "./hierarchy.ts";
import { childDirectory, processesIn, readSetting, tryRemove } from "./tree.ts";

/** Where an engine's cgroups are. */
export interface CgroupsOptions {
  /** Tells engines apart; letters and digits. */
  readonly instanceId: string;
  /** Absolute path from the root of every hierarchy; "/thimble-INSTANCE" when absent. */
  readonly parent?: string;
}

/** The leaf of the engine itself and of the monitors it starts. */
const ownLeaf = "engine";
/** Controllers of v2 that containers are given; more cost more per fork. */
const wantedControllers = ["cpuset", "cpu", "io", "memory", "pids"];

/**
 * All cgroups of one engine, below a parent of its own. Nothing here moves another
 * process: that waits 10 to 17 ms for RCU, where a process that enters by itself does not.
 */
export class Cgroups {
  readonly version: 1 | 2;
  readonly #layout: Layout;
  readonly #parents: readonly Membership[];

  constructor(layout: Layout, parent: string) {
    this.version = layout.version;
    this.#layout = layout;
    this.#parents = this.#below(parent);
  }

  /** Makes the parents and sets what children inherit from them; a second call does nothing. */
  prepare(): void {
    this.#prepare(this.#parents);
  }

  #prepare(parents: readonly Membership[]): void {
    for (const { hierarchy, path } of parents) {
      if (this.version === 2) enableControllers(hierarchy.mountPoint);
      for (const directory of stepsDown(hierarchy.mountPoint, path)) {
        makeDirectory(directory);
        if (this.version === 2) enableControllers(directory);
        else inheritDown(hierarchy, directory);
      }
    }
  }

  /**
   * The container's cgroups with their limits, below another parent if one is named (`parseCgroupParent`),
   * which stays. After a fault nothing else is left. Cgroups that a crash left under the same id are
   * removed first, unless processes run in them.
   */
  async create(id: string, resources: OciResources, parent?: string): Promise<ContainerCgroup> {
    if (parent !== undefined) this.#prepare(this.#below(parent));
    const members = this.#membersOf(id, parent);
    const cgroup = new ContainerCgroup(this.#layout, members);
    try {
      makeAll(members);
    } catch (error) {
      if (!isFault(error, "exists")) throw error;
      await cgroup.remove();
      makeAll(members);
    }
    try {
      cgroup.apply(resources);
    } catch (error) {
      await cgroup.remove();
      throw error;
    }
    return cgroup;
  }

  /** The cgroups of a container made earlier; undefined when it has none. */
  open(id: string, parent?: string): ContainerCgroup | undefined {
    const members = this.#membersOf(id, parent).filter(({ path }) => existsSync(path));
    return members.length > 0 ? new ContainerCgroup(this.#layout, members) : undefined;
  }

  /** The cgroups that a container would have; makes nothing. */
  planned(id: string, parent?: string): ContainerCgroup {
    return new ContainerCgroup(this.#layout, this.#membersOf(id, parent));
  }

  /** Whether this kernel shares out block devices by weight; one that was built without BFQ does not. */
  hasBlockWeights(): boolean {
    const names = ["blkio.weight", "io.weight"];
    return this.#parents.some(({ path }) => names.some((name) => existsSync(`${path}/${name}`)));
  }

  /** The ids of all containers that still have a cgroup below the engine's own parent. */
  list(): readonly string[] {
    const names = this.#parents.flatMap(({ path }) =>
      readdirSync(path, { withFileTypes: true })
        .filter((entry) => entry.isDirectory() && entry.name !== ownLeaf)
        .map((entry) => entry.name),
    );
    return [...new Set(names)];
  }

  /**
   * Moves this process out of the login session, or wherever it was started, at its start only;
   * monitors and proxies are born in the same place. Together they have the share of the processor
   * of ten containers, whose input and output they carry.
   */
  enterOwn(): void {
    for (const { path } of this.#parents) {
      const leaf = childDirectory(path, ownLeaf);
      makeDirectory(leaf);
      favour(leaf);
      writeSetting(`${leaf}/cgroup.procs`, `${process.pid}`);
    }
  }

  /**
   * Removes the parents when they are empty: this process goes to the root of each hierarchy,
   * monitors and containers keep their cgroups.
   */
  close(): void {
    if (this.list().length > 0) return;
    for (const { hierarchy, path } of this.#parents) {
      const leaf = childDirectory(path, ownLeaf);
      if (processesIn(leaf).some((pid) => pid !== process.pid)) continue;
      if (readOwn(leaf)) writeSetting(`${hierarchy.mountPoint}/cgroup.procs`, `${process.pid}`);
      if (existsSync(leaf)) tryRemove(leaf);
      tryRemove(path);
    }
  }

  #below(parent: string): readonly Membership[] {
    return this.#layout.hierarchies.map((hierarchy) => ({
      hierarchy,
      path: hierarchy.mountPoint.replace(/\/+$/, "") + parent,
    }));
  }

  #membersOf(id: string, parent?: string): readonly Membership[] {
    if (id === ownLeaf)
      throw new Fault("invalid", `"${id}" is the engine's own cgroup`, { about: id });
    const parents = parent === undefined ? this.#parents : this.#below(parent);
    return parents.map(({ hierarchy, path }) => ({
      hierarchy,
      path: childDirectory(path, id),
    }));
  }
}

/** The cgroups of this engine, with its parents made. */
export function openCgroups(options: CgroupsOptions): Cgroups {
  if (!/^[A-Za-z0-9]{1,32}$/.test(options.instanceId))
    throw new Fault("invalid", `"${options.instanceId}" cannot be an instance id`);
  const parent = parseCgroupParent(options.parent ?? `/thimble-${options.instanceId}`);
  const cgroups = new Cgroups(findLayout(mountTable()), parent);
  cgroups.prepare();
  return cgroups;
}

/** A path from the root of every hierarchy, whose first slash may be missing; `invalid` for any other text, the root included. */
export function parseCgroupParent(text: string): string {
  const parent = text.startsWith("/") ? text : `/${text}`;
  if (/^(\/[A-Za-z0-9][A-Za-z0-9_.@:-]*){1,8}$/.test(parent)) return parent;
  throw new Fault(
    "invalid",
    `"${text}" cannot be the parent of cgroups: it must be a path below the root of the hierarchy`,
    { about: text },
  );
}

function readOwn(leaf: string): boolean {
  return (readSetting(`${leaf}/cgroup.procs`) ?? "").split("\n").includes(`${process.pid}`);
}

/** Every directory below the mount point on the way to `path`, that included. */
function stepsDown(mountPoint: string, path: string): readonly string[] {
  const names = path.slice(mountPoint.length).split("/").filter(Boolean);
  return names.map((_, index) => [mountPoint, ...names.slice(0, index + 1)].join("/"));
}

function makeDirectory(path: string): void {
  try {
    mkdirat(undefined, path, 0o755);
  } catch (error) {
    if (!isFault(error, "exists")) throw error;
  }
}

function makeAll(members: readonly Membership[]): void {
  for (const [index, { path }] of members.entries()) {
    try {
      mkdirat(undefined, path, 0o755);
    } catch (error) {
      // Those that were there before may belong to another program.
      for (const made of members.slice(0, index)) tryRemove(made.path);
      throw error;
    }
  }
}

/** v1: a cpuset starts empty, in which nothing can run, and older kernels account memory flat. */
function inheritDown(hierarchy: Hierarchy, directory: string): void {
  if (hierarchy.controllers.includes("cpuset")) {
    for (const file of ["cpuset.cpus", "cpuset.mems"]) {
      if (readSetting(`${directory}/${file}`)?.trim()) continue;
      const above = readSetting(`${directory}/../${file}`)?.trim();
      if (above) writeSetting(`${directory}/${file}`, above);
    }
    writeSetting(`${directory}/cgroup.clone_children`, "1");
  }
  const hierarchical = `${directory}/memory.use_hierarchy`;
  if (hierarchy.controllers.includes("memory") && readSetting(hierarchical)?.trim() === "0")
    writeSetting(hierarchical, "1");
}

/** v2: hands the controllers there are to the children; one that is missing shows when a limit needs it. */
function enableControllers(directory: string): void {
  const available = readFileSync(`${directory}/cgroup.controllers`, "utf8").trim().split(" ");
  const enabled = readFileSync(`${directory}/cgroup.subtree_control`, "utf8").trim().split(" ");
  const missing = wantedControllers.filter(
    (name) => available.includes(name) && !enabled.includes(name),
  );
  if (missing.length === 0) return;
  writeSetting(`${directory}/cgroup.subtree_control`, missing.map((name) => `+${name}`).join(" "));
}

/** Ten times the share of a container without one of its own; nothing where shares are not counted. */
function favour(leaf: string): void {
  for (const [file, share] of [
    ["cpu.shares", "10240"],
    ["cpu.weight", "1000"],
  ] as const)
    if (existsSync(`${leaf}/${file}`)) writeSetting(`${leaf}/${file}`, share);
}
