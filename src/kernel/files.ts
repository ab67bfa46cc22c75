import { writeSync } from "node:fs";
import { constants } from "node:os";
import { Fault } from "#base";
import { addon } from "./addon.ts";
import { check } from "./errno.ts";
import { type Directory, directoryNumber, Fd } from "./fd.ts";
import { runJob } from "./reports.ts";

/** A path: text, or bytes where it may not be UTF-8. */
export type Path = string | Uint8Array;

/** Flags of open(2); the same on x86-64 and arm64, unless noted. */
export const O_RDONLY = 0;
export const O_WRONLY = 1;
export const O_RDWR = 2;
export const O_CREAT = 0o100;
export const O_EXCL = 0o200;
export const O_NONBLOCK = 0o4000;
/** The next two are swapped on arm64 (asm/fcntl.h). */
export const O_DIRECTORY = process.arch === "arm64" ? 0o40000 : 0o200000;
export const O_NOFOLLOW = process.arch === "arm64" ? 0o100000 : 0o400000;
export const O_PATH = 0o10000000;

/** openat2(2): linux/openat2.h. */
export const RESOLVE_NO_MAGICLINKS = 0x02;
export const RESOLVE_NO_SYMLINKS = 0x04;
export const RESOLVE_BENEATH = 0x08;
export const RESOLVE_IN_ROOT = 0x10;

/** Flags of the *at calls: linux/fcntl.h. */
const AT_SYMLINK_NOFOLLOW = 0x100;
export const AT_REMOVEDIR = 0x200;
const AT_EMPTY_PATH = 0x1000;

/** renameat2(2). */
export const RENAME_NOREPLACE = 1;
export const RENAME_EXCHANGE = 2;

/** File types within a mode: inode(7). */
export const S_IFMT = 0o170000;
export const S_IFSOCK = 0o140000;
export const S_IFLNK = 0o120000;
export const S_IFREG = 0o100000;
export const S_IFBLK = 0o060000;
export const S_IFDIR = 0o040000;
export const S_IFCHR = 0o020000;
export const S_IFIFO = 0o010000;

/**
 * struct open_how of openat2(2): O_* flags, and RESOLVE_* bits that limit where the path may lead.
 */
export interface OpenHow {
  readonly flags: number;
  /** For O_CREAT; 0 otherwise. The umask applies. */
  readonly mode?: number;
  readonly resolve?: number;
}

/**
 * openat2(2). A lookup that RESOLVE_BENEATH or RESOLVE_IN_ROOT limits, and that a rename elsewhere
 * disturbed (EAGAIN), is tried again.
 */
export function openat2(directory: Directory, path: Path, how: OpenHow): Fd {
  const { flags, mode = 0, resolve = 0 } = how;
  return new Fd(
    check(addon().openat2(directoryNumber(directory), path, flags, mode, resolve), {
      call: "openat2",
      verb: "open",
      about: path,
    }),
  );
}

/**
 * Opens a regular file for reading in a tree that others may change; undefined when the path is
 * anything else. The type is looked at first, because opening a device may have effects. "" as path
 * means the file of the descriptor.
 */
export function openRegularFile(directory: Fd | undefined, path: Path): Fd | undefined {
  using pinned =
    path.length === 0 && directory
      ? directory.duplicate()
      : openat2(directory, path, { flags: O_PATH | O_NOFOLLOW });
  if ((fstatat(pinned, "", false).mode & S_IFMT) !== S_IFREG) return undefined;
  return openat2(undefined, `/proc/self/fd/${pinned.number}`, { flags: O_RDONLY });
}

/** Makes one directory (mkdirat(2)); the umask of this process takes bits from `mode`. */
export function mkdirat(directory: Directory, path: Path, mode: number): void {
  check(addon().mkdirat(directoryNumber(directory), path, mode), {
    call: "mkdirat",
    verb: "make the directory",
    about: path,
  });
}

/**
 * Makes a file, device, FIFO or socket node: `mode` includes the type (S_IFCHR, S_IFBLK, S_IFIFO,
 * S_IFREG, S_IFSOCK), and the umask of this process takes bits from it. Devices need CAP_MKNOD.
 */
export function mknodat(
  directory: Directory,
  path: Path,
  node: { readonly mode: number; readonly major?: number; readonly minor?: number },
): void {
  const { mode, major = 0, minor = 0 } = node;
  check(addon().mknodat(directoryNumber(directory), path, mode, major, minor), {
    call: "mknodat",
    verb: "make the node",
    about: path,
  });
}

/** Makes a symbolic link at `path` whose content is `target`, which need not exist. */
export function symlinkat(target: Path, directory: Directory, path: Path): void {
  check(addon().symlinkat(target, directoryNumber(directory), path), {
    call: "symlinkat",
    verb: "make the symbolic link",
    about: path,
  });
}

/** A path and the directory that it is relative to. */
export interface Place {
  readonly directory: Directory;
  readonly path: Path;
}

/** Makes a hard link; a final symbolic link is linked itself. `exists` when the name is taken. */
export function linkat(from: Place, to: Place, flags = 0): void {
  check(
    addon().linkat(
      directoryNumber(from.directory),
      from.path,
      directoryNumber(to.directory),
      to.path,
      flags,
    ),
    { call: "linkat", verb: "make the hard link", about: to.path },
  );
}

/** Removes a file, or with AT_REMOVEDIR an empty directory. */
export function unlinkat(directory: Directory, path: Path, flags = 0): void {
  check(addon().unlinkat(directoryNumber(directory), path, flags), {
    call: "unlinkat",
    verb: "remove",
    about: path,
  });
}

/**
 * Renames atomically (renameat2(2)). Replaces a file at the target, unless `flags` has
 * RENAME_NOREPLACE; never crosses file systems.
 */
export function renameat2(from: Place, to: Place, flags = 0): void {
  check(
    addon().renameat2(
      directoryNumber(from.directory),
      from.path,
      directoryNumber(to.directory),
      to.path,
      flags,
    ),
    { call: "renameat2", verb: "rename", about: from.path },
  );
}

/** The bytes of a symbolic link; "" as path reads the link that an O_PATH directory descriptor is. */
export function readlinkatBytes(directory: Directory, path: Path): Buffer {
  const out = Buffer.allocUnsafe(4096);
  const size = check(addon().readlinkat(directoryNumber(directory), path, out), {
    call: "readlinkat",
    verb: "read the symbolic link",
    about: path,
  });
  return out.subarray(0, size);
}

/** As `readlinkatBytes`, for links whose bytes are UTF-8. */
export function readlinkat(directory: Directory, path: Path): string {
  return readlinkatBytes(directory, path).toString("utf8");
}

/** The facts that stat(2) gives about a file. */
export interface Stat {
  /** With the type bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes. */
  readonly size: number;
  /** Nanoseconds since the epoch; so is `ctime`. */
  readonly mtime: bigint;
  readonly ctime: bigint;
  readonly nlink: number;
  readonly ino: bigint;
  readonly dev: bigint;
  readonly rdev: { readonly major: number; readonly minor: number };
  /** Units of 512 bytes that are allocated, whatever the block size of the file system. */
  readonly blocks: number;
}

const fields = new BigInt64Array(11);

/** stat(2) relative to a directory; "" as path means the descriptor itself. */
export function fstatat(directory: Directory, path: Path, followFinal: boolean): Stat {
  const flags = (followFinal ? 0 : AT_SYMLINK_NOFOLLOW) | (path.length === 0 ? AT_EMPTY_PATH : 0);
  check(addon().fstatat(directoryNumber(directory), path, flags, fields), {
    call: "fstatat",
    verb: "look at",
    about: path,
  });
  return {
    mode: Number(fields[0]),
    uid: Number(fields[1]),
    gid: Number(fields[2]),
    size: Number(fields[3]),
    mtime: fields[4] ?? 0n,
    nlink: Number(fields[5]),
    ino: BigInt.asUintN(64, fields[6] ?? 0n),
    dev: BigInt.asUintN(64, fields[7] ?? 0n),
    rdev: deviceNumbers(BigInt.asUintN(64, fields[8] ?? 0n)),
    blocks: Number(fields[9]),
    ctime: fields[10] ?? 0n,
  };
}

/** gnu_dev_major and gnu_dev_minor of sys/sysmacros.h. */
function deviceNumbers(rdev: bigint): { major: number; minor: number } {
  return {
    major: Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xfffff000n)),
    minor: Number((rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n)),
  };
}

/** Numeric ids, as the kernel stores them. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Changes the owner. A final symbolic link is changed itself, unless `flags` is given as 0. */
export function fchownat(
  directory: Directory,
  path: Path,
  owner: Owner,
  flags = AT_SYMLINK_NOFOLLOW,
): void {
  const at = flags | (path.length === 0 ? AT_EMPTY_PATH : 0);
  check(addon().fchownat(directoryNumber(directory), path, owner.uid, owner.gid, at), {
    call: "fchownat",
    verb: "change the owner of",
    about: path,
  });
}

/** Follows a final symbolic link unless AT_SYMLINK_NOFOLLOW is given; links themselves have no mode. */
export function fchmodat(directory: Directory, path: Path, mode: number, flags = 0): void {
  const at = flags | (path.length === 0 ? AT_EMPTY_PATH : 0);
  check(addon().fchmodat(directoryNumber(directory), path, mode, at), {
    call: "fchmodat",
    verb: "change the mode of",
    about: path,
  });
}

/** Times of access and of modification. */
export interface FileTimes {
  /** Nanoseconds since the epoch. */
  readonly atime: bigint;
  readonly mtime: bigint;
}

/** Sets both times. A final symbolic link is changed itself, unless `flags` is given as 0. */
export function utimensat(
  directory: Directory,
  path: Path,
  times: FileTimes,
  flags = AT_SYMLINK_NOFOLLOW,
): void {
  const at = flags | (path.length === 0 ? AT_EMPTY_PATH : 0);
  check(addon().utimensat(directoryNumber(directory), path, times.atime, times.mtime, at), {
    call: "utimensat",
    verb: "set the times of",
    about: path,
  });
}

/** Writes everything at the descriptor's position; for files and blocking descriptors. */
export function writeAll(fd: Fd, bytes: Uint8Array): void {
  for (let rest = bytes; rest.byteLength > 0; ) {
    const put = check(addon().write(fd.number, rest), { call: "write", verb: "write" });
    if (put === 0) throw new Fault("internal", "write(2) took nothing");
    rest = rest.subarray(put);
  }
}

/**
 * Writes everything at an offset in bytes; the descriptor's own position stays. Throws Node's
 * error.
 */
export function writeAt(fd: Fd, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.byteLength; ) {
    done += writeSync(fd.number, bytes, done, bytes.byteLength - done, position + done);
  }
}

/**
 * Reads at most the buffer's length, at `position` of the file, or at the descriptor's own position
 * when that is left out. Gives the number of bytes; 0 is the end.
 */
export function readInto(fd: Fd, buffer: Uint8Array, position = -1): number {
  return check(addon().read(fd.number, buffer, position), { call: "read", verb: "read" });
}

/** Sets the size in bytes; a file that grows gets a hole of zeros. */
export function ftruncate(fd: Fd, size: number): void {
  check(addon().ftruncate(fd.number, size), { call: "ftruncate", verb: "resize a file" });
}

/** A part of a file that has data, as offsets in bytes. */
export interface Extent {
  readonly start: number;
  /** After the last byte. */
  readonly end: number;
}

/**
 * The parts of a file that have data, in order; everything between them is a hole (lseek(2),
 * SEEK_DATA). Moves the descriptor's position. A file system without holes gives one extent, the
 * whole file.
 */
export function* dataExtents(fd: Fd): Generator<Extent, void> {
  for (let end = 0; ; ) {
    const start = seekExtent(fd, end, 0);
    const found = start === undefined ? undefined : seekExtent(fd, start, 1);
    if (start === undefined || found === undefined) return;
    yield { start, end: found };
    end = found;
  }
}

/** Undefined at the end of the file, also when it has been cut off meanwhile. */
function seekExtent(fd: Fd, from: number, hole: 0 | 1): number | undefined {
  const found = addon().seekExtent(fd.number, from, hole);
  if (found === -constants.errno.ENXIO) return undefined;
  return check(found, { call: "lseek", verb: "look for data in a file" });
}

/**
 * On a thread of the addon: resolves once the content and metadata of the file are on the disk. A
 * new name also needs an fsync of its directory (fsync(2)). The descriptor stays open until the
 * promise settles, whatever its owner does meanwhile.
 */
export async function fsyncAsync(fd: Fd): Promise<void> {
  using held = fd.duplicate();
  await runJob((id) => addon().syncAsync(id, held.number, 0), {
    call: "fsync",
    verb: "write a file to the disk",
  });
}

/** As `fsyncAsync`, for everything written to the file system of the descriptor (syncfs(2)). */
export async function syncfsAsync(fd: Fd): Promise<void> {
  using held = fd.duplicate();
  await runJob((id) => addon().syncAsync(id, held.number, 1), {
    call: "syncfs",
    verb: "write a file system to the disk",
  });
}
