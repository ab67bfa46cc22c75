import { addon } from "./addon.ts";
import { check, errnoName } from "./errno.ts";
import type { Fd } from "./fd.ts";

/** The limit of a project on a file system. */
export interface ProjectQuota {
  /** Bytes; 0: none. */
  readonly limit: number;
  /** Bytes on the disk. */
  readonly used: number;
}

/**
 * Whether the file system of a descriptor counts and limits what projects have (xfs and ext4, when
 * they are mounted with prjquota, on a kernel that has quotas).
 */
export function hasProjectQuotas(fd: Fd): boolean {
  const isUnknown = (result: number) => errnoName(-result) === "ENOENT";
  const result = readQuota(fd, 1, new BigInt64Array(2));
  return result >= 0 || isUnknown(result);
}

function readQuota(fd: Fd, project: number, out: BigInt64Array): number {
  return addon().getQuota(fd.number, project, new Uint8Array(out.buffer));
}

/** The limit and the use of a project, on the file system of a descriptor. */
export function projectQuota(fd: Fd, project: number): ProjectQuota {
  const out = new BigInt64Array(2);
  const result = readQuota(fd, project, out);
  // Xfs has no record of a project that owns nothing.
  if (errnoName(-result) !== "ENOENT")
    check(result, { call: "quotactl_fd", verb: "read the quota of a project" });
  return { limit: Number(out[0] ?? 0n) * 1024, used: Number(out[1] ?? 0n) };
}

/** Sets the limit of a project, in bytes, rounded up to a KiB; 0 takes it back. */
export function setProjectQuota(fd: Fd, project: number, bytes: number): void {
  check(addon().setQuota(fd.number, project, Math.ceil(bytes / 1024)), {
    call: "quotactl_fd",
    verb: "set the quota of a project",
  });
}

/** The project of a file or directory; 0 for none, also where the file system has none. */
export function projectOf(fd: Fd): number {
  const result = addon().getProject(fd.number);
  return Math.max(result, 0);
}

/** Puts a directory, and all that will be made in it, into a project (FS_IOC_FSSETXATTR). */
export function setProject(directory: Fd, project: number): void {
  check(addon().setProject(directory.number, project), {
    call: "ioctl(FS_IOC_FSSETXATTR)",
    verb: "set the project of a directory",
  });
}
