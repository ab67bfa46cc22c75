/**
 * The functions of build/addon.node. Each gives a number: the result (zero or
 * more), or the negated errno. Wrong arguments throw a TypeError. Descriptors are
 * O_CLOEXEC. Only src/kernel calls them; it gives them names, types and Faults.
 */

/** A path or name: text, or bytes where it may not be UTF-8. No NULs, below 4096 bytes. */
export type Text = string | Uint8Array;
/** NUL-terminated strings after one another. */
export type Block = Uint8Array;
/** Of a report: a positive safe integer that the caller chose. */
export type ReportId = number;

export interface Addon {
  openat2(dirfd: number, path: Text, flags: number, mode: number, resolve: number): number;
  mkdirat(dirfd: number, path: Text, mode: number): number;
  mknodat(dirfd: number, path: Text, mode: number, major: number, minor: number): number;
  symlinkat(target: Text, dirfd: number, path: Text): number;
  linkat(fromDir: number, from: Text, toDir: number, to: Text, flags: number): number;
  unlinkat(dirfd: number, path: Text, flags: number): number;
  renameat2(fromDir: number, from: Text, toDir: number, to: Text, flags: number): number;
  readlinkat(dirfd: number, path: Text, out: Uint8Array): number;
  /** Fills mode, uid, gid, size, mtime (ns), nlink, ino, dev, rdev, blocks, ctime (ns). */
  fstatat(dirfd: number, path: Text, flags: number, out: BigInt64Array): number;
  fchownat(dirfd: number, path: Text, uid: number, gid: number, flags: number): number;
  fchmodat(dirfd: number, path: Text, mode: number, flags: number): number;
  utimensat(dirfd: number, path: Text, atime: bigint, mtime: bigint, flags: number): number;
  ftruncate(fd: number, size: number): number;
  /**
   * The offset at which data (0) or a hole (1) begins, at or after `offset`; moves the position.
   * -ENXIO at the end.
   */
  seekExtent(fd: number, offset: number, hole: 0 | 1): number;
  syncAsync(id: ReportId, fd: number, wholeFileSystem: 0 | 1): number;
  /**
   * Reports the bytes that were copied; of a refusal, the path in the report's bytes. `line`: a
   * socket, whose other end is closed to end the copy.
   */
  copyTree(id: ReportId, from: number, to: number, line: number, waits: 0 | 1): number;
  /** `name` is one name in the directory. */
  removeTree(id: ReportId, directory: number, name: Text): number;
  removeTreeNow(directory: number, name: Text): number;

  setProject(fd: number, project: number): number;
  getProject(fd: number): number;
  /** `limit` in KiB. */
  setQuota(fd: number, project: number, limit: number): number;
  /** `out`: two int64. */
  getQuota(fd: number, project: number, out: Uint8Array): number;

  /** `name` is one name in the directory `fd`, not followed, or "" for what `fd` is itself. */
  getXattr(fd: number, name: Text, attribute: string, out: Uint8Array): number;
  setXattr(fd: number, name: Text, attribute: string, value: Uint8Array): number;
  listXattr(fd: number, name: Text, out: Uint8Array): number;
  removeXattr(fd: number, name: Text, attribute: string): number;

  /** `options`: key and "=value" (or "" for a flag), alternating. The report's bytes are the file system's message. */
  mountFilesystem(
    id: ReportId,
    type: string,
    source: Text,
    target: Text,
    options: Block,
    attributes: number,
  ): number;
  mountBind(
    id: ReportId,
    source: Text,
    target: Text,
    recursive: 0 | 1,
    set: number,
    clear: number,
  ): number;
  /** Binds the root of that mount namespace on a directory of ours; both descriptors stay open until the report. */
  mountRootOf(
    id: ReportId,
    namespace: number,
    target: number,
    recursive: 0 | 1,
    set: number,
  ): number;
  mountLegacy(
    id: ReportId,
    source: Text,
    target: Text,
    type: string,
    flags: number,
    data: Block,
  ): number;
  unmount(id: ReportId, target: Text, detach: 0 | 1): number;
  probeFsconfig(type: string, key: string, value: string): number;

  pidfdOpen(pid: number): number;
  pidfdSendSignal(pidfd: number, signal: number): number;
  /** 1 when the child was reaped: `out` is exit code or -1, signal or 0. 0 while it lives. */
  reap(pidfd: number, out: Int32Array): number;
  /** `fds`: pairs (here, there) by ascending number there. Gives the pid; `out[0]` is the pidfd. */
  spawn(
    executable: number,
    path: Text,
    argv: Block,
    env: Block,
    cwd: Text,
    fds: Int32Array,
    newSession: 0 | 1,
    out: Int32Array,
  ): number;

  close(fd: number): number;
  duplicate(fd: number): number;
  socketPair(out: Int32Array): number;
  /** ENOENT or ECONNREFUSED when no program listens. */
  unixConnect(path: string): number;
  /** A datagram socket; each write is a datagram. EPROTOTYPE when a stream socket listens there. */
  unixDatagrams(path: string): number;
  /** What was at the path is replaced. */
  unixListen(path: string): number;
  pipe(out: Int32Array): number;
  /** The negated errno of what failed on a socket since the last call. */
  socketError(fd: number): number;
  eventFd(): number;
  setBlocking(fd: number, blocking: 0 | 1): number;
  /** At `position`, or where the descriptor stands for -1. */
  read(fd: number, out: Uint8Array, position: number): number;
  /** As much as goes without blocking (a blocking descriptor takes all). */
  write(fd: number, bytes: Uint8Array): number;
  /** One message, with copies of the descriptors (unix(7), SCM_RIGHTS): at most 253, else E2BIG. */
  sendDescriptors(fd: number, bytes: Uint8Array, fds: Int32Array): number;
  shutdownWrite(fd: number): number;
  peerCredentials(fd: number, out: Int32Array): number;
  untakenByPeer(fd: number): number;
  flock(fd: number): number;
  memfd(name: string): number;
  seal(fd: number): number;

  /** Where reports go; once, before the first job or watch. Does not keep the event loop alive by itself. */
  onReport(report: (id: ReportId, value: number, bytes: Uint8Array | undefined) => void): number;
  keepAlive(yes: 0 | 1): number;
  /** One report of the EPOLL* events that came, then silence until watched again. */
  watch(fd: number, id: ReportId, events: number): number;
  unwatch(fd: number): number;

  /**
   * Sends messages by a socket of `netlinkSocket` or new ones (-1), and reports every answer. `parts`, of
   * which a socket takes one: namespace (-1: ours) and bytes of the messages that go there, one after the other.
   */
  netlinkExchange(
    id: ReportId,
    parts: Int32Array,
    protocol: number,
    messages: Uint8Array,
    socket: number,
  ): number;
  /** A socket of our own namespace, from which the notices of these groups (a mask) are read. */
  netlinkSocket(protocol: number, groups: number): number;
  /** `settings`: path below /proc/sys/net and value, alternating. Reports a descriptor of the namespace. */
  newNetworkNamespace(id: ReportId, settings: Block): number;
  /** The same settings in a namespace that exists. */
  writeNamespaceSettings(id: ReportId, netns: number, settings: Block): number;
  /** Reports a non-blocking TCP socket of that namespace, which may still be connecting. */
  connectInNamespace(id: ReportId, netns: number, address: Uint8Array, port: number): number;

  /** Each line of `lines` by a write(2) of its own; out: how many were written. */
  writeSettings(path: string, lines: Uint8Array, out: Int32Array): number;
  /** Loads `program` (struct bpf_insn...) and attaches it to a cgroup v2 directory beside others. */
  attachDeviceProgram(cgroup: number, program: Uint8Array): number;
}
