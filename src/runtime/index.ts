/**
 * runtime: turns an OCI configuration into a launch plan, and owns cgroups.
 *
 * `defaultSpec` writes Docker's configuration for a container, `compilePlan` turns
 * a configuration into the helper's launch plan (pure data; all policy is spent
 * here), `describePlan` prints one. `openCgroups` owns the cgroups of one engine,
 * v1 or v2. This module starts no process; `helper` does.
 */

export {
  capabilityMask,
  defaultCapabilities,
  missingCapabilities,
} from "./capability.ts";
export { Cgroups, type CgroupsOptions, openCgroups, parseCgroupParent } from "./cgroup/cgroups.ts";
export type { CgroupEntry, ContainerCgroup } from "./cgroup/container-cgroup.ts";
export type { CgroupStats } from "./cgroup/stats.ts";
export { compileExec } from "./compile-exec.ts";
export { boundDescriptors, type CgroupMount } from "./compile-mount.ts";
export {
  type CompiledPlan,
  compilePlan,
  hostKind,
  joinedPaths,
  namespaceKind,
  type PlanInput,
} from "./compile-plan.ts";
export {
  defaultMaskedPaths,
  defaultReadonlyPaths,
  defaultSpec,
  type NamespaceMode,
  type SpecOptions,
} from "./default-spec.ts";
export { describePlan } from "./describe-plan.ts";
export {
  defaultDeviceRules,
  readHostDevice,
  readHostDevices,
} from "./device.ts";
export { type Machine, readMachine } from "./machine.ts";
export type { OciBlockIO, OciDeviceRule, OciResources } from "./oci-resources.ts";
export type * from "./oci-spec.ts";
export { parseResourceLimit } from "./rlimit.ts";
export { compileSeccomp } from "./seccomp/compile.ts";
export { defaultSeccompProfile } from "./seccomp/default-profile.ts";
export {
  parseSeccompProfile,
  resolveSeccomp,
  type SeccompProfile,
} from "./seccomp/profile.ts";
