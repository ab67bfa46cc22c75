import { statSync } from "node:fs";
import { defined, Fault } from "#base";
import type { FdIndex, LaunchPlan, NamespaceEntry, NamespaceKind, PlanProcess } from "#helper";
import type { Mount } from "#kernel";
import { compileCapabilities, hasCapability } from "./capability.ts";
import {
  type CgroupMount,
  checkPath,
  compileMaps,
  compileMount,
  compileRootMount,
} from "./compile-mount.ts";
import { compileDevices, defaultSymlinks } from "./device.ts";
import type { Machine } from "./machine.ts";
import { parseMountOptions } from "./mount-option.ts";
import type { OciNamespaceType, OciProcess, OciSpec } from "./oci-spec.ts";
import { compileLimits } from "./rlimit.ts";
import { compileFilter } from "./seccomp/compile.ts";
import { checkSysctls } from "./sysctl.ts";
import { refuseUnsupported } from "./unsupported-field.ts";

/** An OCI configuration, and all that a plan needs beside it. */
export interface PlanInput {
  readonly id: string;
  readonly spec: OciSpec;
  /** Absent: `spec.root.path` is bound, its submounts with it. */
  readonly rootMount?: Mount;
  /** An existing empty host directory on which the root is assembled. */
  readonly rootAnchor: string;
  readonly cgroup?: LaunchPlan["cgroup"];
  readonly oomCounter?: FdIndex;
  readonly oomEvent?: FdIndex;
  /** v1: what /sys/fs/cgroup shows (`ContainerCgroup.mounts`). */
  readonly cgroupMounts?: readonly CgroupMount[];
  readonly stdio: LaunchPlan["stdio"];
  readonly log?: LaunchPlan["log"];
  readonly controlSocket?: string;
  readonly exitRecord?: string;
  /** Run the helper's reaper as process 1. */
  readonly init?: boolean;
  /** Hold the namespaces without a program; the root gets neither devices nor the links that go with them. */
  readonly sandbox?: boolean;
  readonly machine: Machine;
  /** The kind of a bind's source, for a missing target to be made; `hostKind` unless given. */
  readonly kindOf?: (hostPath: string) => "directory" | "file";
}

/** The plan, and sentences for the user about the defaults that were left out of it. */
export interface CompiledPlan {
  readonly plan: LaunchPlan;
  readonly warnings: readonly string[];
}

const kinds: Readonly<Record<OciNamespaceType, NamespaceKind>> = {
  mount: "mnt",
  network: "net",
  pid: "pid",
  ipc: "ipc",
  uts: "uts",
  cgroup: "cgroup",
  user: "user",
  time: "time",
};

/** The kernel's name of a namespace, as below /proc/PID/ns. */
export function namespaceKind(type: OciNamespaceType): NamespaceKind {
  return kinds[type];
}

/**
 * The paths of the namespaces that a configuration joins. Opened in this order they are
 * the first of the descriptors that the plan names by index, before those of `boundDescriptors`.
 */
export function joinedPaths(spec: OciSpec): readonly string[] {
  return (spec.linux?.namespaces ?? []).flatMap(({ path }) => (path ? [path] : []));
}

/** `directory` or `file` for a path of this host; a missing one is an `invalid` fault with Docker's words. */
export function hostKind(path: string): "directory" | "file" {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat)
    throw new Fault("invalid", `bind source path does not exist: ${path}`, { about: path });
  return stat.isDirectory() ? "directory" : "file";
}

/**
 * Turns an OCI configuration into the plan that the helper carries out; all policy is spent here.
 * It changes nothing and reads the host through `kindOf` alone. An option that this machine or the
 * helper cannot carry out is a fault that names the field, if it was asked for by name; a default
 * that is left out is a warning.
 */
export function compilePlan(input: PlanInput): CompiledPlan {
  const { spec, machine } = input;
  const linux = spec.linux ?? {};
  refuseUnsupported(spec);
  const namespaces = compileNamespaces(input);
  checkHostname(spec, namespaces);
  checkSysctls(linux.sysctl ?? {}, new Set(namespaces.map((entry) => entry.kind)));
  const rootMount = compileRootMount(input.rootMount ?? boundRoot(spec), machine);
  const mounts = compileMounts(input);
  const capabilities = compileCapabilities(spec.process?.capabilities ?? {}, machine.capabilities);
  const score = compileOomScore(spec.process?.oomScoreAdj, machine);
  const rootPropagation = parseMountOptions(
    linux.rootfsPropagation ? [linux.rootfsPropagation] : [],
    "linux.rootfsPropagation",
  ).propagation;
  const filter = linux.seccomp && compileFilter(linux.seccomp);
  const plan: LaunchPlan = {
    mode: input.sandbox ? "sandbox" : "run",
    id: input.id,
    namespaces,
    uidMaps: compileMaps(linux.uidMappings),
    gidMaps: compileMaps(linux.gidMappings),
    rootAnchor: input.rootAnchor,
    mounts: [rootMount, ...mounts],
    rootReadonly: spec.root?.readonly ?? false,
    ...defined({ rootPropagation }),
    devices: input.sandbox ? [] : compileDevices(linux.devices ?? []),
    symlinks: input.sandbox ? [] : defaultSymlinks,
    maskedPaths: checkPaths(linux.maskedPaths, "linux.maskedPaths"),
    readonlyPaths: checkPaths(linux.readonlyPaths, "linux.readonlyPaths"),
    sysctls: Object.entries(linux.sysctl ?? {}).map(([name, value]) => ({ name, value })),
    ...defined({
      hostname: spec.hostname,
      domainname: spec.domainname,
      cgroup: input.cgroup,
      oomCounter: input.oomCounter,
      oomEvent: input.oomEvent,
    }),
    resourceLimits: compileLimits(spec.process?.rlimits ?? [], machine),
    ...defined({ oomScoreAdj: score }),
    capabilities: capabilities.masks,
    noNewPrivileges: spec.process?.noNewPrivileges ?? false,
    ...(filter && { seccomp: filter.program, seccompFlags: filter.flags }),
    ...(!input.sandbox && { process: compileProcess(spec.process) }),
    init: input.init ?? false,
    stdio: { ...consoleSize(spec.process), ...input.stdio },
    ...defined({
      log: input.log,
      controlSocket: input.controlSocket,
      exitRecord: input.exitRecord,
    }),
  };
  const lost = capabilities.missing.join(", ");
  return { plan, warnings: lost ? [`this machine cannot give the container ${lost}`] : [] };
}

function consoleSize(process: OciProcess | undefined) {
  if (!process?.terminal || !process.consoleSize) return {};
  return { rows: process.consoleSize.height, columns: process.consoleSize.width };
}

function compileNamespaces(input: PlanInput): readonly NamespaceEntry[] {
  const seen = new Set<NamespaceKind>();
  let joined = 0;
  const entries = (input.spec.linux?.namespaces ?? []).map((namespace, index): NamespaceEntry => {
    const field = `linux.namespaces[${index}]`;
    const kind = kinds[namespace.type];
    if (!kind)
      throw new Fault("invalid", `${field}.type: there is no namespace "${namespace.type}"`);
    if (seen.has(kind))
      throw new Fault("invalid", `${field}.type: "${namespace.type}" is given twice`);
    seen.add(kind);
    if (!namespace.path) return { kind };
    checkPath(namespace.path, `${field}.path`);
    return { kind, join: joined++ as FdIndex };
  });
  if (!entries.some((entry) => entry.kind === "mnt" && entry.join === undefined))
    throw new Fault(
      "invalid",
      "linux.namespaces: a container needs a mount namespace of its own, or its mounts would be the host's",
    );
  return entries;
}

function checkHostname(spec: OciSpec, namespaces: readonly NamespaceEntry[]): void {
  for (const field of ["hostname", "domainname"] as const) {
    const value = spec[field];
    if (value === undefined) continue;
    if (!namespaces.some((entry) => entry.kind === "uts"))
      throw new Fault(
        "invalid",
        `${field}: cannot be set without a uts namespace, it would be the host's`,
      );
    if (Buffer.byteLength(value) > 64 || value.includes("\0"))
      throw new Fault("invalid", `${field}: "${value}" is longer than 64 bytes`, { about: value });
  }
}

function boundRoot(spec: OciSpec): Mount {
  if (!spec.root?.path) throw new Fault("invalid", "root.path: a container needs a root");
  return { type: "bind", source: spec.root.path, options: ["rbind"] };
}

function compileMounts(input: PlanInput) {
  let next = joinedPaths(input.spec).length;
  const context = {
    nextDescriptor: () => next++ as FdIndex,
    machine: input.machine,
    cgroupMounts: input.cgroupMounts ?? [],
    kindOf: input.kindOf ?? hostKind,
  };
  return (input.spec.mounts ?? []).flatMap((mount, index) => compileMount(mount, index, context));
}

function compileOomScore(score: number | undefined, machine: Machine): number | undefined {
  if (score === undefined) return undefined;
  if (!Number.isInteger(score) || score < -1000 || score > 1000)
    throw new Fault("invalid", `process.oomScoreAdj: ${score} is not between -1000 and 1000`);
  if (score < 0 && !hasCapability(machine.capabilities, "CAP_SYS_RESOURCE"))
    throw new Fault(
      "denied",
      `process.oomScoreAdj: cannot set ${score}: a negative score needs CAP_SYS_RESOURCE, which is not available here; ask for 0 or more`,
    );
  return score;
}

function compileProcess(process: OciProcess | undefined): PlanProcess {
  if (!process) throw new Fault("invalid", "process: a container needs a process to run");
  if (process.args.length === 0)
    throw new Fault(
      "invalid",
      "process.args: no command specified; name one or use an image that has one",
    );
  checkPath(process.cwd, "process.cwd");
  const env = process.env ?? [];
  for (const [field, list] of [
    ["args", process.args],
    ["env", env],
  ] as const) {
    const index = list.findIndex((text) => text.includes("\0"));
    if (index >= 0)
      throw new Fault(
        "invalid",
        `process.${field}[${index}]: a string cannot hold a NUL character`,
      );
  }
  const { uid, gid, umask, additionalGids = [] } = process.user;
  for (const id of [uid, gid, ...additionalGids]) {
    // The highest id is (uid_t)-1, "no change" to setresuid(2).
    if (!Number.isInteger(id) || id < 0 || id >= 0xffff_ffff)
      throw new Fault("invalid", `process.user: ${id} is not a user or group id`);
  }
  return {
    argv: process.args,
    env,
    cwd: process.cwd,
    uid,
    gid,
    additionalGids,
    ...defined({ umask }),
  };
}

function checkPaths(paths: readonly string[] | undefined, field: string): readonly string[] {
  for (const [index, path] of (paths ?? []).entries()) checkPath(path, `${field}[${index}]`);
  return paths ?? [];
}
