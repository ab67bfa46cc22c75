import { Fault } from "#base";
import type { FdIndex, LaunchPlan, MountOperation, PlanProcess } from "./plan.ts";
import {
  creations,
  modes,
  NO_FD,
  namespaceKinds,
  planLimits,
  planMagic,
  planVersion,
  propagations,
  stdioModes,
  stdioWith,
  tag,
} from "./tags.ts";

/**
 * A plan as the bytes that native/init reads (native/init/plan.h). `invalid` when a
 * text holds a NUL, a number or a list is out of its range.
 */
export function encodePlan(plan: LaunchPlan): Uint8Array {
  return namePlan(encodeNameless(plan), plan);
}

/** A plan without its names, for `namePlan`. Faults as those of `encodePlan`. */
export function encodeNameless(plan: LaunchPlan): Uint8Array {
  const writer = new Writer();
  writer.record(tag.MODE, [modes.indexOf(plan.mode)]);
  writePlace(writer, plan);
  writeRoot(writer, plan);
  writeSecurity(writer, plan);
  if (plan.process) writeProcess(writer, plan.process);
  writeMonitor(writer, plan);
  return new Uint8Array(writer.bytes());
}

/** The bytes of a plan: for a process that is launched again and again only this is done each time. */
export function namePlan(
  nameless: Uint8Array,
  { id, controlSocket }: Pick<LaunchPlan, "id" | "controlSocket">,
): Uint8Array {
  const writer = new Writer();
  writer.raw([planMagic, planVersion, 0, 0]);
  writer.record(tag.ID, [limited(id, planLimits.id, "the id")]);
  if (controlSocket !== undefined)
    writer.record(tag.CONTROL_SOCKET, [
      limited(controlSocket, planLimits.socket, "the control socket's path"),
    ]);
  writer.raw([nameless]);
  const bytes = writer.bytes();
  if (bytes.byteLength > planLimits.bytes)
    throw new Fault(
      "exhausted",
      `the launch plan has ${bytes.byteLength} bytes, the limit is ${planLimits.bytes}: shorten the arguments or the environment`,
    );
  bytes.writeUInt32LE(bytes.byteLength, 8);
  return bytes;
}

/** A number is written as u32, a bigint as u64, bytes as they are. */
type Value = number | bigint | Uint8Array;

function text(value: string): Uint8Array {
  if (value.includes("\0"))
    throw new Fault("invalid", `"${value.replaceAll("\0", "\\0")}" holds a NUL character`);
  return Buffer.from(`${value}\0`, "utf8");
}

function limited(value: string, limit: number, what: string): Uint8Array {
  const bytes = text(value);
  if (bytes.byteLength > limit + 1)
    throw new Fault("invalid", `${what} "${value}" is longer than ${limit} bytes`, {
      about: value,
    });
  return bytes;
}

class Writer {
  #buffer = Buffer.allocUnsafe(8192);
  #length = 0;

  raw(values: readonly Value[]): void {
    for (const value of values) {
      if (typeof value === "number") this.#u32(value);
      else if (typeof value === "bigint") this.#u64(value);
      else this.#bytes(value);
    }
  }

  record(number: number, values: readonly Value[] = []): void {
    this.nested(number, () => this.raw(values));
  }

  nested(number: number, write: () => void): void {
    const start = this.#length;
    this.raw([number, 0]);
    write();
    this.#buffer.writeUInt32LE(this.#length - start - 8, start + 4);
  }

  bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  /** Where `size` bytes fit; take `#buffer` after this, which may have replaced it. */
  #room(size: number): number {
    const at = this.#length;
    this.#length += size;
    if (this.#length > this.#buffer.byteLength) {
      const larger = Buffer.allocUnsafe(2 * this.#length);
      this.#buffer.copy(larger, 0, 0, at);
      this.#buffer = larger;
    }
    return at;
  }

  #u32(value: number): void {
    if (!Number.isInteger(value) || value < 0 || value > 0xffff_ffff)
      throw new Fault("invalid", `${value} does not fit in 32 bits of a launch plan`);
    const at = this.#room(4);
    this.#buffer.writeUInt32LE(value, at);
  }

  #u64(value: bigint): void {
    if (value < 0n || value > 0xffff_ffff_ffff_ffffn)
      throw new Fault("invalid", `${value} does not fit in 64 bits of a launch plan`);
    const at = this.#room(8);
    this.#buffer.writeBigUInt64LE(value, at);
  }

  #bytes(value: Uint8Array): void {
    const at = this.#room(value.byteLength);
    this.#buffer.set(value, at);
  }
}

function fd(index: FdIndex): number {
  if (index >= planLimits.fds)
    throw new Fault("invalid", `descriptor index ${index} is beyond the table's ${planLimits.fds}`);
  return index;
}

function list<T>(items: readonly T[], what: string): readonly T[] {
  if (items.length > planLimits.list)
    throw new Fault(
      "exhausted",
      `a launch plan takes at most ${planLimits.list} ${what}, but this one has ${items.length}`,
    );
  return items;
}

/** Where it runs: namespaces, ids, cgroup. */
function writePlace(writer: Writer, plan: LaunchPlan): void {
  for (const { kind, join } of plan.namespaces)
    writer.record(tag.NAMESPACE, [
      namespaceKinds.indexOf(kind),
      join === undefined ? NO_FD : fd(join),
    ]);
  for (const map of list(plan.uidMaps, "user id maps"))
    writer.record(tag.UID_MAP, [map.inside, map.outside, map.count]);
  for (const map of list(plan.gidMaps, "group id maps"))
    writer.record(tag.GID_MAP, [map.inside, map.outside, map.count]);
  if (plan.hostname !== undefined) writer.record(tag.HOSTNAME, [text(plan.hostname)]);
  if (plan.domainname !== undefined) writer.record(tag.DOMAINNAME, [text(plan.domainname)]);
  if (plan.cgroup) {
    const { cgroup } = plan;
    const fds = cgroup.version === 2 ? [cgroup.directory] : cgroup.tasks;
    if (fds.length > 32) throw new Fault("invalid", "a cgroup has more than 32 hierarchies");
    writer.record(tag.CGROUP, [cgroup.version, ...fds.map(fd)]);
  }
  if (plan.oomCounter !== undefined) writer.record(tag.OOM_COUNTER, [fd(plan.oomCounter)]);
  if (plan.oomEvent !== undefined) writer.record(tag.OOM_EVENT, [fd(plan.oomEvent)]);
}

/** The part of the plan that the container sees: its root and everything in it. */
function writeRoot(writer: Writer, plan: LaunchPlan): void {
  if (plan.rootAnchor !== undefined) writer.record(tag.ROOT_ANCHOR, [text(plan.rootAnchor)]);
  for (const mount of list(plan.mounts, "mounts"))
    writer.nested(tag.MOUNT, () => writeMount(writer, mount));
  if (plan.rootReadonly) writer.record(tag.ROOT_READONLY);
  if (plan.rootPropagation)
    writer.record(tag.ROOT_PROPAGATION, [propagations.indexOf(plan.rootPropagation)]);
  for (const device of list(plan.devices, "devices")) {
    const { major, minor, mode, uid, gid } = device;
    const type = device.type.charCodeAt(0);
    writer.record(tag.DEVICE, [type, major, minor, mode, uid, gid, text(device.path)]);
  }
  for (const { target, path } of list(plan.symlinks, "symlinks"))
    writer.record(tag.SYMLINK, [text(target), text(path)]);
  for (const path of list(plan.maskedPaths, "masked paths"))
    writer.record(tag.MASKED_PATH, [text(path)]);
  for (const path of list(plan.readonlyPaths, "read-only paths"))
    writer.record(tag.READONLY_PATH, [text(path)]);
  for (const { name, value } of list(plan.sysctls, "sysctls"))
    writer.record(tag.SYSCTL, [text(name), text(value)]);
}

function writeMount(writer: Writer, mount: MountOperation): void {
  const { source } = mount;
  if (source.kind === "filesystem") {
    writer.record(tag.MOUNT_FILESYSTEM, [text(source.type)]);
    for (const [key, value] of list(source.options, "options of a mount")) {
      if (value === null) writer.record(tag.MOUNT_FLAG, [text(key)]);
      else writer.record(tag.MOUNT_OPTION, [text(key), text(value)]);
    }
  } else if (source.kind === "legacy") {
    writer.record(tag.MOUNT_LEGACY, [text(source.type), text(source.data)]);
  } else {
    if (source.kind === "bind") writer.record(tag.MOUNT_BIND, [text(source.path)]);
    else writer.record(tag.MOUNT_BIND_FD, [fd(source.fd)]);
    if (source.recursive) writer.record(tag.MOUNT_RECURSIVE);
  }
  writer.record(tag.MOUNT_TARGET, [text(mount.target)]);
  writer.record(tag.MOUNT_ATTRIBUTES, [
    BigInt(mount.attributes.set),
    BigInt(mount.attributes.clear),
  ]);
  if (mount.recursiveAttributes) writer.record(tag.MOUNT_RECURSIVE_ATTRIBUTES);
  if (mount.propagation)
    writer.record(tag.MOUNT_PROPAGATION, [propagations.indexOf(mount.propagation)]);
  writer.record(tag.MOUNT_CREATE, [creations.indexOf(mount.create)]);
  const { uids = [], gids = [] } = mount.owners ?? {};
  for (const map of list(uids, "user id maps of a mount"))
    writer.record(tag.MOUNT_UID_MAP, [map.inside, map.outside, map.count]);
  for (const map of list(gids, "group id maps of a mount"))
    writer.record(tag.MOUNT_GID_MAP, [map.inside, map.outside, map.count]);
}

/** The part of the plan that limits the process. */
function writeSecurity(writer: Writer, plan: LaunchPlan): void {
  for (const { resource, soft, hard } of list(plan.resourceLimits, "resource limits"))
    writer.record(tag.RESOURCE_LIMIT, [resource, soft, hard]);
  if (plan.oomScoreAdj !== undefined)
    writer.record(tag.OOM_SCORE_ADJ, [signed(plan.oomScoreAdj) >>> 0]);
  if (plan.capabilities) {
    const { bounding, effective, permitted, inheritable, ambient } = plan.capabilities;
    writer.record(tag.CAPABILITIES, [bounding, effective, permitted, inheritable, ambient]);
  }
  if (plan.noNewPrivileges) writer.record(tag.NO_NEW_PRIVILEGES);
  if (plan.seccomp) {
    const instructions = plan.seccomp.byteLength / 8;
    if (!Number.isInteger(instructions) || instructions < 1 || instructions > planLimits.filter)
      throw new Fault(
        "invalid",
        `a seccomp filter has 1 to ${planLimits.filter} instructions of 8 bytes, this one ${instructions}`,
      );
    writer.record(tag.SECCOMP, [plan.seccomp]);
  }
  if (plan.seccompFlags !== undefined) writer.record(tag.SECCOMP_FLAGS, [plan.seccompFlags]);
}

function signed(value: number): number {
  if ((value | 0) !== value) throw new Fault("invalid", `${value} does not fit in 32 bits`);
  return value;
}

function writeProcess(writer: Writer, process: PlanProcess): void {
  writer.nested(tag.PROCESS, () => {
    for (const argument of process.argv) writer.record(tag.ARGUMENT, [text(argument)]);
    for (const variable of process.env) writer.record(tag.VARIABLE, [text(variable)]);
    writer.record(tag.CWD, [text(process.cwd)]);
    writer.record(tag.USER, [process.uid, process.gid]);
    for (const gid of process.additionalGids) writer.record(tag.GROUP, [gid]);
    if (process.umask !== undefined) writer.record(tag.UMASK, [process.umask]);
  });
}

/** The part of the plan that the monitor needs. */
function writeMonitor(writer: Writer, plan: LaunchPlan): void {
  if (plan.init) writer.record(tag.INIT);
  const { mode, stdin, stdinOnce, rows, columns } = plan.stdio;
  const flags =
    (stdin ? stdioWith.STDIN : 0) |
    (stdinOnce ? stdioWith.STDIN_ONCE : 0) |
    (rows === undefined ? 0 : stdioWith.ROWS) |
    (columns === undefined ? 0 : stdioWith.COLUMNS);
  writer.record(tag.STDIO, [stdioModes.indexOf(mode), flags, rows ?? 0, columns ?? 0]);
  if (plan.log) writer.record(tag.LOG, [plan.log.maxSize, plan.log.maxFiles, text(plan.log.path)]);
  if (plan.log?.attributes !== undefined)
    writer.record(tag.LOG_ATTRIBUTES, [
      limited(plan.log.attributes, planLimits.logAttributes, "the attributes of the log"),
    ]);
  if (plan.exitRecord !== undefined) writer.record(tag.EXIT_RECORD, [text(plan.exitRecord)]);
  if (plan.awaitStart) writer.record(tag.AWAIT_START);
}
