import { Fault } from "#base";
import type { MountEntry } from "#kernel";

/** A mounted tree of cgroups. */
export interface Hierarchy {
  /** v1: "cpu", "cpuacct", "name=systemd"; v2: empty, since cgroup.controllers lists them. */
  readonly controllers: readonly string[];
  readonly mountPoint: string;
}

export interface Layout {
  readonly version: 1 | 2;
  /** v1: one per mount. v2: exactly one. */
  readonly hierarchies: readonly Hierarchy[];
}

/** Words in a v1 mount's options that are not controllers (cgroups(7)). */
const flags = new Set([
  "rw",
  "ro",
  "xattr",
  "noprefix",
  "clone_children",
  "none",
  "all",
  "cpuset_v2_mode",
  "favordynmods",
]);

/**
 * Where cgroups are mounted. A hybrid machine, with its controllers in v1 trees and
 * an empty v2 tree beside them, counts as v1. A tree that is mounted twice counts
 * once, at its first mount point.
 */
export function findLayout(mounts: readonly MountEntry[]): Layout {
  const legacy = new Map<string, Hierarchy>();
  for (const mount of mounts) {
    if (mount.type !== "cgroup") continue;
    const controllers = mount.superOptions.filter(
      (option) => !flags.has(option) && (!option.includes("=") || option.startsWith("name=")),
    );
    const key = controllers.toSorted().join(",");
    if (key && !legacy.has(key)) legacy.set(key, { controllers, mountPoint: mount.target });
  }
  const hierarchies = [...legacy.values()];
  const real = hierarchies.some(({ controllers }) => controllers.some((c) => !c.includes("=")));
  if (real) return { version: 1, hierarchies };
  const unified = mounts.find((mount) => mount.type === "cgroup2");
  if (unified)
    return { version: 2, hierarchies: [{ controllers: [], mountPoint: unified.target }] };
  throw new Fault(
    "unsupported",
    "cannot limit containers: no cgroup file system is mounted; mount one: mount -t cgroup2 none /sys/fs/cgroup",
  );
}

/** The directory's name of a v1 hierarchy below /sys/fs/cgroup: "cpu,cpuacct", "systemd". */
export function hierarchyName(hierarchy: Hierarchy): string {
  return hierarchy.controllers.map((name) => name.replace(/^name=/, "")).join(",");
}
