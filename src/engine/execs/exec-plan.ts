import { encodePlan, type FdIndex, type LaunchPlan, type NamespaceKind } from "#helper";
import type { Fd } from "#kernel";
import { type ContainerCgroup, compilePlan, type Machine, type OciSpec } from "#runtime";

export interface ExecPlanInput {
  readonly id: string;
  /** The container's configuration with the program to run in its process. */
  readonly spec: OciSpec;
  /** The namespaces of the container. */
  readonly joined: readonly (readonly [NamespaceKind, Fd])[];
  readonly cgroup: ContainerCgroup;
  readonly stdio: LaunchPlan["stdio"];
  readonly controlSocket: string;
  readonly exitRecord: string;
  readonly machine: Machine;
}

/** What enters a container has its limits and its filter, and makes nothing of its own. */
export function compileExecPlan(
  input: ExecPlanInput,
): Disposable & { readonly plan: Uint8Array; readonly fds: readonly Fd[] } {
  const entry = input.cgroup.entry(input.joined.length, { watchOom: false });
  const close = () => {
    for (const fd of entry.fds) fd.close();
  };
  try {
    const { plan } = compilePlan({
      id: input.id,
      spec: processOnly(input.spec),
      rootMount: { type: "bind", source: "/", options: [] },
      rootAnchor: "/",
      cgroup: entry.cgroup,
      stdio: input.stdio,
      controlSocket: input.controlSocket,
      exitRecord: input.exitRecord,
      machine: input.machine,
    });
    const { rootAnchor: _anchor, ...rest } = plan;
    const exec: LaunchPlan = {
      ...rest,
      mode: "exec",
      namespaces: input.joined.map(([kind], index) => ({ kind, join: index as FdIndex })),
      mounts: [],
      devices: [],
      symlinks: [],
      rootReadonly: false,
    };
    return {
      plan: encodePlan(exec),
      fds: [...input.joined.map(([, fd]) => fd), ...entry.fds],
      [Symbol.dispose]: close,
    };
  } catch (error) {
    close();
    throw error;
  }
}

/** The configuration without what has been done when the container was made. */
function processOnly(spec: OciSpec): OciSpec {
  const { seccomp } = spec.linux ?? {};
  return {
    ociVersion: spec.ociVersion,
    ...(spec.process && { process: spec.process }),
    linux: { namespaces: [{ type: "mount" }], ...(seccomp && { seccomp }) },
  };
}
