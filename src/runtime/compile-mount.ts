import { posix } from "node:path";
import { defined, Fault } from "#base";
import type { FdIndex, IdMap, MountOperation } from "#helper";
import type { Mount } from "#kernel";
import type { Machine } from "./machine.ts";
import { type MountOptions, parseMountOptions } from "./mount-option.ts";
import type { OciMount, OciSpec } from "./oci-spec.ts";

/** A controller of cgroup v1 as it shall show below /sys/fs/cgroup. */
export interface CgroupMount {
  /** "cpu,cpuacct": the directory's name. */
  readonly name: string;
  /** The container's own cgroup on the host. */
  readonly path: string;
}

export interface MountContext {
  readonly machine: Machine;
  /** v1: the container's own cgroups; without them /sys/fs/cgroup is an empty directory. */
  readonly cgroupMounts: readonly CgroupMount[];
  /** The kind of a bind's source, for a missing target to be made. */
  readonly kindOf: (hostPath: string) => "directory" | "file";
  /** The place in the inherited table of the next bind's descriptor. */
  readonly nextDescriptor: () => FdIndex;
}

/** Whether a bind's source is an open file of some process: only a descriptor leads to its mount from the container's namespace. */
function isDescriptorPath(path: string): boolean {
  return /^\/proc\/\d+\/fd\/\d+$/.test(path);
}

/** The paths of the open files that a configuration binds, in the order of its mounts. */
export function boundDescriptors({ mounts = [] }: Pick<OciSpec, "mounts">): readonly string[] {
  return mounts.flatMap(({ source = "", type, options = [] }) => {
    const isBind = type === "bind" || options.some((option) => /^r?bind$/.test(option));
    return isBind && isDescriptorPath(source) ? [source] : [];
  });
}

/** fsconfig(2) takes strings of at most 256 bytes, the closing NUL included; mount(2) takes one page. */
const fsconfigLimit = 255;
const pageLimit = 4095;
const pathLimit = 4095;

/** The root file system as the first operation, on "/". */
export function compileRootMount(mount: Mount, machine: Machine): MountOperation {
  const options = parseMountOptions(mount.options, "root mount");
  const base = operation("/", options, "none");
  if (mount.type === "bind" || options.bind !== "none") {
    checkPath(mount.source, "root mount: source");
    const recursive = options.bind !== "bind";
    return { ...base, source: { kind: "bind", path: mount.source, recursive } };
  }
  const source = filesystem({ type: mount.type, options: options.data }, "root mount", machine);
  return { ...base, source };
}

/** A file system that is made for the container; before Linux 6.8 an overlay needs mount(2). */
function filesystem(
  { type, options }: { readonly type: string; readonly options: MountOptions["data"] },
  field: string,
  machine: Machine,
): MountOperation["source"] {
  if (type !== "overlay" || machine.lowerdirPlus) {
    checkData(options, field);
    return { kind: "filesystem", type, options };
  }
  const data = joinLowerDirectories(options);
  if (Buffer.byteLength(data) > pageLimit)
    throw new Fault(
      "exhausted",
      `${field}: the paths of ${options.filter(([key]) => key === "lowerdir+").length} layers do not fit in one page of mount options, which is the limit before Linux 6.8; use an image of fewer layers or a shorter data root`,
    );
  return { kind: "legacy", type, data };
}

/** Option string of mount(2): overlayfs reads a backslash before ":" and "," as part of the name. */
function joinLowerDirectories(data: MountOptions["data"]): string {
  const lower = data.flatMap(([key, value]) => (key === "lowerdir+" && value ? [value] : []));
  const rest = data.filter(([key]) => key !== "lowerdir+");
  const joined = lower.map((path) => path.replace(/[\\:,]/g, "\\$&")).join(":");
  const options = rest.map(([key, value]) =>
    value === null ? key : `${key}=${value.replace(/[\\,]/g, "\\$&")}`,
  );
  return [...(joined ? [`lowerdir=${joined}`] : []), ...options].join(",");
}

/** One mount of the configuration as one or, for cgroup v1, several operations. */
export function compileMount(
  mount: OciMount,
  index: number,
  context: MountContext,
): readonly MountOperation[] {
  const field = `mounts[${index}]`;
  const target = cleanTarget(mount.destination, `${field}.destination`);
  const options = parseMountOptions(mount.options ?? [], `${field}.options`);
  const owners = compileOwners(mount, field);
  if (mount.type === "bind" || options.bind !== "none") {
    const path = mount.source ?? "";
    checkPath(path, `${field}.source`);
    // config.md: "bind" without "rbind" binds the one mount only.
    const recursive = options.bind !== "bind";
    return [
      {
        ...operation(target, options, context.kindOf(path)),
        ...defined({ owners }),
        source: isDescriptorPath(path)
          ? { kind: "bind-fd", fd: context.nextDescriptor(), recursive }
          : { kind: "bind", path, recursive },
      },
    ];
  }
  if (owners)
    throw new Fault(
      "unsupported",
      `${field}.uidMappings: thimble maps the owners of binds alone; leave the field out`,
      { about: `${field}.uidMappings` },
    );
  if (!mount.type)
    throw new Fault("invalid", `${field}.type: a mount on ${target} needs a type or "bind"`);
  if (mount.type === "cgroup") return compileCgroup(target, options, context);
  // The helper names a file system after its type; df(1) shows the name, as Docker's "shm".
  const { source = mount.type } = mount;
  const name = source === mount.type ? [] : [["source", source] as const];
  const data = [...name, ...options.data];
  return [
    {
      ...operation(target, options, "directory"),
      source: filesystem({ type: mount.type, options: data }, field, context.machine),
    },
  ];
}

/** Id maps of the configuration as the plan has them. */
export function compileMaps(mappings: OciMount["uidMappings"] = []): readonly IdMap[] {
  return mappings.map(({ containerID, hostID, size }) => ({
    inside: containerID,
    outside: hostID,
    count: size,
  }));
}

/** config.md: both kinds of maps, or none. */
function compileOwners(
  { uidMappings, gidMappings }: OciMount,
  field: string,
): MountOperation["owners"] {
  const owners = { uids: compileMaps(uidMappings), gids: compileMaps(gidMappings) };
  if (owners.uids.length === 0 && owners.gids.length === 0) return undefined;
  if (owners.uids.length === 0 || owners.gids.length === 0)
    throw new Fault("invalid", `${field}: uidMappings and gidMappings go together`);
  return owners;
}

/** v2: the hierarchy itself, whose root is the container's cgroup inside a cgroup namespace. v1: a tmpfs with the container's own cgroups bound into it. */
function compileCgroup(
  target: string,
  options: MountOptions,
  context: MountContext,
): readonly MountOperation[] {
  if (context.machine.cgroupVersion === 2) {
    const source = { kind: "filesystem", type: "cgroup2", options: [] } as const;
    return [{ ...operation(target, options, "directory"), source }];
  }
  const { set, clear } = options.attributes;
  const tmpfs: MountOperation = {
    // Directories are made inside it. It stays writable and small, as in Docker, which leaves it so as well.
    ...operation(target, { ...options, attributes: { set: set & ~1, clear } }, "directory"),
    source: {
      kind: "filesystem",
      type: "tmpfs",
      options: [
        ["mode", "755"],
        ["size", "64k"],
      ],
    },
  };
  const binds = context.cgroupMounts.map(({ name, path }): MountOperation => {
    checkPath(path, `cgroup ${name}`);
    return {
      ...operation(`${target}/${name}`, options, "directory"),
      source: { kind: "bind", path, recursive: false },
    };
  });
  return [tmpfs, ...binds];
}

function operation(
  target: string,
  options: MountOptions,
  create: MountOperation["create"],
): Omit<MountOperation, "source"> {
  return {
    target,
    attributes: options.attributes,
    recursiveAttributes: options.recursiveAttributes,
    ...defined({ propagation: options.propagation }),
    create,
  };
}

function checkData(data: MountOptions["data"], field: string): void {
  for (const [key, value] of data) {
    if (value !== null && Buffer.byteLength(value) > fsconfigLimit)
      throw new Fault(
        "invalid",
        `${field}.options: "${key}" has a value of ${Buffer.byteLength(value)} bytes; the kernel takes ${fsconfigLimit}`,
      );
  }
}

/** An absolute path inside the container without "." and "..". */
function cleanTarget(path: string, field: string): string {
  checkPath(path, field);
  const clean = posix.normalize(path).replace(/(.)\/+$/, "$1");
  if (clean === "/")
    throw new Fault(
      "invalid",
      `${field}: "/" is the root file system and cannot be a mount target`,
    );
  return clean;
}

/** Faults unless it is an absolute path the kernel can take. */
export function checkPath(path: string, field: string): void {
  if (!path.startsWith("/"))
    throw new Fault("invalid", `${field}: "${path}" is not an absolute path`, { about: path });
  if (path.includes("\0") || Buffer.byteLength(path) > pathLimit)
    throw new Fault(
      "invalid",
      `${field}: a path has at most ${pathLimit} bytes and no NUL character`,
    );
}
