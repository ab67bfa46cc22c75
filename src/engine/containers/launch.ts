import { encodePlan, type FdIndex, type LaunchPlan, type NamespaceKind } from "#helper";
import type { Fd, Mount } from "#kernel";
import { type ContainerCgroup, compilePlan, type Machine, type OciSpec } from "#runtime";

export interface LaunchInput {
  readonly id: string;
  readonly spec: OciSpec;
  readonly root: Mount;
  readonly rootAnchor: string;
  /** Descriptors of the namespaces that are entered in place of new ones. */
  readonly joined: Partial<Record<NamespaceKind, Fd>>;
  readonly cgroup: ContainerCgroup;
  /** The plan is only shown: the cgroup need not exist. */
  readonly isPlanned?: boolean;
  readonly stdio: LaunchPlan["stdio"];
  readonly log?: LaunchPlan["log"];
  readonly controlSocket?: string;
  readonly exitRecord?: string;
  readonly init: boolean;
  readonly machine: Machine;
  /** What a bind's source will be when it does not exist yet. */
  readonly kindOf?: (path: string) => "directory" | "file";
}

export interface CompiledLaunch extends Disposable {
  readonly plan: Uint8Array;
  /** The inherited table, in the order of the plan's indexes. */
  readonly fds: readonly Fd[];
  readonly warnings: readonly string[];
}

/**
 * A launch plan as bytes with the descriptors it names. Those of the cgroup are opened
 * here and closed by disposing, once the helper has been started.
 */
export function compileLaunch(input: LaunchInput): CompiledLaunch {
  const fds: Fd[] = [];
  const joined: Partial<Record<NamespaceKind, FdIndex>> = {};
  for (const [kind, fd] of Object.entries(input.joined) as [NamespaceKind, Fd][]) {
    joined[kind] = (fds.push(fd) - 1) as FdIndex;
  }
  const entry = input.isPlanned
    ? { ...input.cgroup.plannedEntry(fds.length), fds: [] }
    : input.cgroup.entry(fds.length);
  const close = () => {
    for (const fd of entry.fds) fd.close();
  };
  try {
    const { plan, warnings } = compilePlan({
      id: input.id,
      spec: input.spec,
      rootMount: input.root,
      rootAnchor: input.rootAnchor,
      joined,
      cgroup: entry.cgroup,
      ...(entry.oomCounter !== undefined && { oomCounter: entry.oomCounter }),
      ...(entry.oomEvent !== undefined && { oomEvent: entry.oomEvent }),
      cgroupMounts: input.cgroup.mounts,
      stdio: input.stdio,
      ...(input.log && { log: input.log }),
      ...(input.controlSocket !== undefined && { controlSocket: input.controlSocket }),
      ...(input.exitRecord !== undefined && { exitRecord: input.exitRecord }),
      init: input.init,
      machine: input.machine,
      ...(input.kindOf && { kindOf: input.kindOf }),
    });
    return {
      plan: encodePlan(plan),
      fds: [...fds, ...entry.fds],
      warnings,
      [Symbol.dispose]: close,
    };
  } catch (error) {
    close();
    throw error;
  }
}
