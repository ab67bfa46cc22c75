import { closeSync, fstatSync, openSync, readSync, statfsSync } from "node:fs";
import { constants } from "node:os";
import { Fault, isFault } from "#base";
import { addon } from "./addon.ts";
import { check, errnoFault } from "./errno.ts";
import { Fd } from "./fd.ts";
import { O_CREAT, O_NOFOLLOW, O_RDONLY, O_RDWR, openat2, type Path, writeAll } from "./files.ts";

/** Two connected stream sockets, blocking until one becomes a channel. */
export function socketPair(): [Fd, Fd] {
  const out = new Int32Array(2);
  check(addon().socketPair(out), { call: "socketpair", verb: "make a socket pair" });
  return [new Fd(out[0] ?? -1), new Fd(out[1] ?? -1)];
}

/**
 * A stream socket, connected to the listener at a unix socket's path of at most 107 bytes.
 * `not_found` or `unavailable` when nothing listens there.
 */
export function connectUnix(path: string): Fd {
  const what = { call: "connect", verb: "connect to", about: path };
  return new Fd(check(addon().unixConnect(path), what));
}

/**
 * A stream socket that listens at a path of at most 107 bytes, in place of whatever was there; only
 * this user may connect.
 */
export function listenUnix(path: string): Fd {
  const what = { call: "bind", verb: "listen at", about: path };
  return new Fd(check(addon().unixListen(path), what));
}

/** A pipe(7): its read end, then its write end, both blocking. */
export function pipe(): [Fd, Fd] {
  const out = new Int32Array(2);
  check(addon().pipe(out), { call: "pipe2", verb: "make a pipe" });
  return [new Fd(out[0] ?? -1), new Fd(out[1] ?? -1)];
}

/** A non-blocking eventfd(2) of count 0. */
export function eventFd(): Fd {
  return new Fd(check(addon().eventFd(), { call: "eventfd", verb: "make an event descriptor" }));
}

/**
 * An executable file in memory whose content can never change again (memfd_create(2), file seals of
 * fcntl(2)), opened for reading. `name` shows in /proc only.
 *
 * A process that runs the file reaches its inode through /proc/self/exe, and can make later starts
 * of it fail: by an ACL that takes the executable bits away (EACCES; chmod(2) cannot do that from
 * Linux 6.3 on, F_SEAL_EXEC), or by opening it for writing (ETXTBSY). `copySealed` then makes
 * another.
 */
export function memfdSealed(name: string, bytes: Uint8Array): Fd {
  using writable = new Fd(
    check(addon().memfd(name), {
      call: "memfd_create",
      verb: "make a file in memory",
      about: name,
    }),
  );
  writeAll(writable, bytes);
  check(addon().seal(writable.number), { call: "fcntl", verb: "seal", about: name });
  // execve(2) refuses with ETXTBSY what someone has open for writing.
  return openat2(undefined, `/proc/self/fd/${writable.number}`, { flags: O_RDONLY });
}

/** A fresh file with the content of one that `memfdSealed` made, whatever has become of its mode. */
export function copySealed(name: string, sealed: Fd): Fd {
  const bytes = Buffer.allocUnsafe(fstatSync(sealed.number).size);
  for (let at = 0; at < bytes.byteLength; ) {
    const count = readSync(sealed.number, bytes, at, bytes.byteLength - at, at);
    if (count === 0) throw new Fault("data_loss", `cannot copy ${name}: the file ends early`);
    at += count;
  }
  return memfdSealed(name, bytes);
}

/**
 * Sends bytes with copies of descriptors to the other end of a unix socket, as one message
 * (SCM_RIGHTS, unix(7)), and gives how many of the bytes the kernel took. It never waits; there are
 * at most 253 descriptors. A Fault of errno EPIPE when the other end is gone.
 */
export function sendDescriptors(socket: Fd, bytes: Uint8Array, fds: readonly Fd[]): number {
  const numbers = Int32Array.from(fds, (fd) => fd.number);
  return check(addon().sendDescriptors(socket.number, bytes, numbers), {
    call: "sendmsg",
    verb: "send descriptors",
  });
}

/** The process that connected, and its ids at that time; it may have ended since. */
export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/** Who connected to a unix socket (SO_PEERCRED, unix(7)). */
export function peerCredentials(socket: Fd | number): PeerCredentials {
  const out = new Int32Array(3);
  check(addon().peerCredentials(typeof socket === "number" ? socket : socket.number, out), {
    call: "getsockopt",
    verb: "find the process at the other end",
  });
  return { pid: out[0] ?? 0, uid: (out[1] ?? 0) >>> 0, gid: (out[2] ?? 0) >>> 0 };
}

/**
 * 0 when the other end of a unix socket has read all that was sent to it; else the bytes
 * of memory that wait there, which are more than those sent (SIOCOUTQ, unix(7)).
 */
export function untakenByPeer(socket: Fd | number): number {
  return check(addon().untakenByPeer(typeof socket === "number" ? socket : socket.number), {
    call: "ioctl",
    verb: "ask what a peer has not read",
  });
}

/**
 * Makes the file if it is missing (mode 0600) and locks it (flock(2)) until the descriptor is
 * closed or the process ends. `conflict` when another process has the lock; it never waits.
 */
export function lockFile(path: Path): Fd {
  const fd = openat2(undefined, path, { flags: O_RDWR | O_CREAT | O_NOFOLLOW, mode: 0o600 });
  const locked = addon().flock(fd.number);
  if (locked >= 0) return fd;
  fd.close();
  const about = Buffer.from(path).toString("utf8");
  if (-locked === constants.errno.EAGAIN)
    throw new Fault("conflict", `${about} is locked by another process`, { about });
  throw errnoFault(-locked, { call: "flock", verb: "lock", about });
}

/** The room of a file system, in bytes and in inodes. */
export interface FileSystemUsage {
  /** The magic number of statfs(2), e.g. 0x794c7630 for overlay. */
  readonly type: number;
  /** Bytes. */
  readonly total: number;
  readonly free: number;
  /** The part of `free` that users other than root may fill. */
  readonly available: number;
  readonly inodes: number;
  readonly freeInodes: number;
}

/** The usage of the file system that holds `path`; `not_found` when the path is missing. */
export function statfs(path: string): FileSystemUsage {
  const s = guard(path, "statfs", () => statfsSync(path));
  return {
    type: s.type,
    total: s.blocks * s.bsize,
    free: s.bfree * s.bsize,
    available: s.bavail * s.bsize,
    inodes: s.files,
    freeInodes: s.ffree,
  };
}

/** Whether a device node or file can be opened for reading and writing; opening may have effects. */
export function canOpen(path: string): boolean {
  try {
    closeSync(openSync(path, "r+"));
    return true;
  } catch {
    return false;
  }
}

function guard<T>(about: string, call: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (isFault(cause)) throw cause;
    const errno = (cause as { errno?: number }).errno;
    throw errnoFault(Math.abs(errno ?? constants.errno.EIO), { call, verb: "look at", about });
  }
}
