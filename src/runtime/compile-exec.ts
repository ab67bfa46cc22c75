import { defined } from "#base";
import type { FdIndex, LaunchPlan, NamespaceKind } from "#helper";
import { type CompiledPlan, compilePlan, type PlanInput } from "./compile-plan.ts";
import type { OciProcess, OciSeccomp } from "./oci-spec.ts";

export interface ExecInput extends Pick<PlanInput, "id" | "cgroup" | "stdio" | "machine"> {
  readonly process: OciProcess;
  /** The container's filter. */
  readonly seccomp?: OciSeccomp;
  /** The container's: those of the process of which the first inherited descriptor is a pidfd (setns(2)). */
  readonly namespaces: readonly NamespaceKind[];
}

/**
 * A process that enters a container: it has the container's limits and its filter, and
 * makes nothing of its own. Faults as those of `compilePlan`.
 */
export function compileExec(input: ExecInput): CompiledPlan {
  const { process, seccomp, namespaces, ...rest } = input;
  const { plan, warnings } = compilePlan({
    ...rest,
    spec: {
      ociVersion: "1.2.1",
      process,
      linux: { namespaces: [{ type: "mount" }], ...defined({ seccomp }) },
    },
    rootMount: { type: "bind", source: "/", options: [] },
    rootAnchor: "/",
  });
  const { rootAnchor: _anchor, ...own } = plan;
  const exec: LaunchPlan = {
    ...own,
    mode: "exec",
    namespaces: namespaces.map((kind) => ({ kind, join: 0 as FdIndex })),
    mounts: [],
    devices: [],
    symlinks: [],
  };
  return { plan: exec, warnings };
}
