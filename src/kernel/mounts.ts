import { Fault, Scope } from "#base";
import { addon } from "./addon.ts";
import { errnoName } from "./errno.ts";
import type { Fd } from "./fd.ts";
import { O_DIRECTORY, O_PATH, openat2 } from "./files.ts";
import type { Mount } from "./mount.ts";
import { packStrings } from "./pack.ts";
import { runJob } from "./reports.ts";

/** Attributes of a mount: mount_setattr(2). */
export const MOUNT_ATTR_RDONLY = 0x01;
export const MOUNT_ATTR_NOSUID = 0x02;
const MOUNT_ATTR_NODEV = 0x04;
const MOUNT_ATTR_NOEXEC = 0x08;
export const MOUNT_ATTR__ATIME = 0x70;
const MOUNT_ATTR_RELATIME = 0x00;
export const MOUNT_ATTR_NOATIME = 0x10;
const MOUNT_ATTR_STRICTATIME = 0x20;
const MOUNT_ATTR_NODIRATIME = 0x80;

/** Flags of mount(2). */
export const MS_RDONLY = 1;
const MS_NOSUID = 2;
const MS_NODEV = 4;
const MS_NOEXEC = 8;
export const MS_NOATIME = 1024;
const MS_NODIRATIME = 2048;
const MS_RELATIME = 1 << 21;
const MS_STRICTATIME = 1 << 24;

/** fsconfig(2) takes values of at most 255 bytes, mount(2) one page of options. */
const MAX_VALUE = 255;
const MAX_DATA = 4095;

interface Attribute {
  readonly set: number;
  readonly clear?: number;
  readonly legacy?: number;
}

/** Options of fstab(5) that belong to the mount, not to the file system. */
const attributes: Readonly<Record<string, Attribute>> = {
  ro: { set: MOUNT_ATTR_RDONLY, legacy: MS_RDONLY },
  rw: { set: 0, clear: MOUNT_ATTR_RDONLY },
  nosuid: { set: MOUNT_ATTR_NOSUID, legacy: MS_NOSUID },
  suid: { set: 0, clear: MOUNT_ATTR_NOSUID },
  nodev: { set: MOUNT_ATTR_NODEV, legacy: MS_NODEV },
  dev: { set: 0, clear: MOUNT_ATTR_NODEV },
  noexec: { set: MOUNT_ATTR_NOEXEC, legacy: MS_NOEXEC },
  exec: { set: 0, clear: MOUNT_ATTR_NOEXEC },
  noatime: { set: MOUNT_ATTR_NOATIME, clear: MOUNT_ATTR__ATIME, legacy: MS_NOATIME },
  relatime: { set: MOUNT_ATTR_RELATIME, clear: MOUNT_ATTR__ATIME, legacy: MS_RELATIME },
  strictatime: { set: MOUNT_ATTR_STRICTATIME, clear: MOUNT_ATTR__ATIME, legacy: MS_STRICTATIME },
  nodiratime: { set: MOUNT_ATTR_NODIRATIME, legacy: MS_NODIRATIME },
};

interface SplitOptions {
  readonly set: number;
  readonly clear: number;
  /** The same as MS_* bits. */
  readonly legacy: number;
  readonly recursive: boolean;
  /** The options for the file system: "key" or "key=value". */
  readonly rest: readonly string[];
}

/**
 * Options as mount(8) writes them, split into attributes to set and clear (MOUNT_ATTR_*
 * bits of mount_setattr(2)), `recursive` for rbind, and the options of the file system.
 * The last of two that contradict wins.
 */
export function splitMountOptions(options: readonly string[]): SplitOptions {
  let [set, clear, legacy] = [0, 0, 0];
  let recursive = false;
  const rest: string[] = [];
  for (const option of options) {
    const attribute = attributes[option];
    if (attribute !== undefined) {
      set = (set & ~(attribute.clear ?? 0)) | attribute.set;
      clear = (clear & ~attribute.set) | (attribute.clear ?? 0);
      legacy |= attribute.legacy ?? 0;
    } else if (option === "rbind") recursive = true;
    else if (option !== "bind") rest.push(option);
  }
  return { set, clear, legacy, recursive, rest };
}

/** A colon separates layers, a comma separates options; a backslash before them makes them part of a path. */
function escapeOverlayPath(path: string): string {
  return path.replace(/[\\:,]/g, (character) => `\\${character}`);
}

/** Options as mount(2) takes them: in one string, the layers of `lowerdir+=` joined. */
export function legacyData(options: readonly string[]): string {
  const lower: string[] = [];
  const others: string[] = [];
  for (const option of options) {
    const [, key = option, path = ""] = /^(lowerdir\+|upperdir|workdir)=(.*)$/s.exec(option) ?? [];
    if (key === "lowerdir+") lower.push(escapeOverlayPath(path));
    else others.push(key === option ? option : `${key}=${escapeOverlayPath(path)}`);
  }
  return [...(lower.length > 0 ? [`lowerdir=${lower.join(":")}`] : []), ...others].join(",");
}

let lowerdirPlus: boolean | undefined;

/**
 * Whether overlay takes `lowerdir+=` (Linux 6.8), one layer at a time; false without CAP_SYS_ADMIN.
 * Asked of the kernel once.
 */
export function overlayTakesLowerdirPlus(): boolean {
  const takes = (key: string) => addon().probeFsconfig("overlay", key, "/") >= 0;
  // Before Linux 6.5 overlay only looks at its options when it is mounted, and takes any.
  lowerdirPlus ??= takes("lowerdir+") && !takes("no-such-option");
  return lowerdirPlus;
}

async function mountOne(mount: Mount, target: string): Promise<void> {
  const { set, clear, legacy, recursive, rest } = splitMountOptions(mount.options);
  const attempt = { verb: `mount ${mount.type} ${mount.source} on`, about: target };
  if (mount.type === "bind") {
    await runJob(
      (id) => addon().mountBind(id, mount.source, target, recursive ? 1 : 0, set, clear),
      { ...attempt, call: "open_tree" },
    );
    return;
  }
  const layered = rest.some((option) => option.startsWith("lowerdir+="));
  const long = rest.some((option) => Buffer.byteLength(option.replace(/^[^=]*=/, "")) > MAX_VALUE);
  if (long || (layered && !overlayTakesLowerdirPlus())) {
    const data = legacyData(rest);
    if (Buffer.byteLength(data) > MAX_DATA)
      throw new Fault(
        "unsupported",
        `cannot ${attempt.verb} ${target}: its options take ${data.length} bytes and mount(2) has room for ${MAX_DATA}; use fewer layers or shorter paths`,
        { about: target },
      );
    await runJob(
      (id) =>
        addon().mountLegacy(
          id,
          mount.source,
          target,
          mount.type,
          legacy,
          packStrings([data], "mount options"),
        ),
      { ...attempt, call: "mount" },
    );
    return;
  }
  const pairs = rest.flatMap(configPair);
  await runJob(
    (id) =>
      addon().mountFilesystem(
        id,
        mount.type,
        mount.source,
        target,
        packStrings(pairs, "mount options"),
        set,
      ),
    { ...attempt, call: "fsmount" },
    explanation,
  );
}

/** Key and "=value" or "", as the addon takes them. */
function configPair(option: string): [string, string] {
  const at = option.indexOf("=");
  if (at < 0) return [option, ""];
  const [key, value] = [option.slice(0, at), option.slice(at)];
  // ovl_mount_dir() takes backslashes out of these two, though not out of `lowerdir+`.
  const unescaped = key === "upperdir" || key === "workdir";
  return [key, unescaped ? value.replaceAll("\\", "\\\\") : value];
}

/** The kernel's messages begin with their level: "e overlay: No changes allowed in reconfigure". */
function explanation(bytes: Uint8Array): string | undefined {
  const text = new TextDecoder().decode(bytes).trim();
  return text === "" ? undefined : text.replace(/^[eiw] /, "");
}

/**
 * Mounts all on the same target, in order. When it fails, those that were made are unmounted before
 * it throws. Disposing unmounts in reverse order; a busy mount disappears from view at once and
 * ends with its last user. A crash leaves the mounts in place.
 */
export async function mountAll(mounts: readonly Mount[], target: string): Promise<AsyncDisposable> {
  await using scope = new Scope();
  for (const mount of mounts) {
    await mountOne(mount, target);
    scope.defer(() => unmount(target, { detach: true }));
  }
  return scope.release();
}

/**
 * Binds the root of another mount namespace on a directory of ours, without what is mounted in it
 * unless `recursive`, and without devices and setuid programs if `guarded`. Nothing that is mounted
 * later on either side shows on the other. Both descriptors stay open until it settles; disposing
 * and a crash are as with `mountAll`.
 */
export async function mountRootOf(
  namespace: Fd,
  target: string,
  options: { readonly recursive?: boolean; readonly guarded?: boolean } = {},
): Promise<AsyncDisposable> {
  using place = openat2(undefined, target, { flags: O_PATH | O_DIRECTORY });
  const attributes = options.guarded ? MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV : 0;
  const recursive = options.recursive ? 1 : 0;
  await runJob(
    (id) => addon().mountRootOf(id, namespace.number, place.number, recursive, attributes),
    { call: "open_tree", verb: "mount the root of a mount namespace on", about: target },
  );
  return { [Symbol.asyncDispose]: () => unmount(target, { detach: true }) };
}

/**
 * umount2(2), never through a symbolic link; `invalid` when nothing is mounted there, `unavailable`
 * when it is busy. With `detach` a busy mount disappears from view at once and ends with its last
 * user. May take long: destroying an overlay writes its upper layer to the disk.
 */
export async function unmount(
  target: string,
  options: { readonly detach?: boolean } = {},
): Promise<void> {
  await runJob((id) => addon().unmount(id, target, options.detach ? 1 : 0), {
    call: "umount2",
    verb: "unmount",
    about: target,
  });
}

/**
 * Whether the kernel has a file system type; asking loads its module (fsopen(2)). Without
 * CAP_SYS_ADMIN the answer is always true.
 */
export function knowsFileSystem(type: string): boolean {
  const result = addon().probeFsconfig(type, "source", "none");
  return result >= 0 || errnoName(-result) !== "ENODEV";
}
