import { Fault } from "#base";
import type { OciSpec } from "./oci-spec.ts";

/** A field of the specification that is not carried out, its value in a configuration, and the reason. */
type UnsupportedField = readonly [field: string, read: (spec: OciSpec) => unknown, why: string];

const noLabels = "thimble sets no security labels";
const hooks = (
  [
    "prestart",
    "createRuntime",
    "createContainer",
    "startContainer",
    "poststart",
    "poststop",
  ] as const
).map(
  (name): UnsupportedField => [
    `hooks.${name}`,
    ({ hooks }) => hooks?.[name],
    "thimble runs no hooks",
  ],
);

const fields: readonly UnsupportedField[] = [
  ...hooks,
  ["process.apparmorProfile", ({ process }) => process?.apparmorProfile, noLabels],
  ["process.selinuxLabel", ({ process }) => process?.selinuxLabel, noLabels],
  ["process.scheduler", ({ process }) => process?.scheduler, "thimble sets no scheduling policy"],
  ["process.ioPriority", ({ process }) => process?.ioPriority, "thimble sets no I/O priority"],
  [
    "process.execCPUAffinity",
    ({ process }) => process?.execCPUAffinity,
    "the CPUs of a process are those of its container",
  ],
  [
    "linux.cgroupsPath",
    ({ linux }) => linux?.cgroupsPath,
    "the cgroup of a container is named after its id",
  ],
  ["linux.mountLabel", ({ linux }) => linux?.mountLabel, noLabels],
  [
    "linux.intelRdt",
    ({ linux }) => linux?.intelRdt,
    "thimble does not divide cache and memory bandwidth",
  ],
  [
    "linux.personality",
    ({ linux }) => (linux?.personality?.domain === "LINUX" ? undefined : linux?.personality),
    "every process has the personality LINUX",
  ],
  ["linux.timeOffsets", ({ linux }) => linux?.timeOffsets, "thimble moves no clocks"],
  ["linux.netDevices", ({ linux }) => linux?.netDevices, "thimble moves no network devices"],
  ["linux.memoryPolicy", ({ linux }) => linux?.memoryPolicy, "thimble sets no NUMA policy"],
];

/**
 * Faults (`unsupported`) for the first field that asks for something that a plan cannot carry out.
 */
export function refuseUnsupported(spec: OciSpec): void {
  for (const [field, read, why] of fields) if (!isEmpty(read(spec))) refuse(field, why);
}

function refuse(field: string, why: string): never {
  throw new Fault("unsupported", `${field}: ${why}; leave the field out`, {
    about: field,
  });
}

function isEmpty(value: unknown): boolean {
  if (typeof value === "object" && value !== null) return Object.keys(value).length === 0;
  return value === undefined || value === "" || value === null;
}
