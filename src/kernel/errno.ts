import { constants } from "node:os";
import { defined, Fault, type FaultCode } from "#base";

const names = new Map<number, string>();
for (const [name, value] of Object.entries(constants.errno))
  if (!names.has(value) || name === "EAGAIN" || name === "EOPNOTSUPP") names.set(value, name);

/** The code of each refusal of the kernel, the same for every system call. */
const codes: Readonly<Record<string, FaultCode>> = {
  ENOENT: "not_found",
  ESRCH: "not_found",
  ENODEV: "not_found",
  EEXIST: "exists",
  EACCES: "denied",
  EPERM: "denied",
  ENOSPC: "exhausted",
  EDQUOT: "exhausted",
  EMFILE: "exhausted",
  ENFILE: "exhausted",
  ENOMEM: "exhausted",
  EBUSY: "unavailable",
  EAGAIN: "unavailable",
  ECONNREFUSED: "unavailable",
  EINVAL: "invalid",
  ENAMETOOLONG: "invalid",
  ELOOP: "invalid",
  ENOTDIR: "invalid",
  EISDIR: "invalid",
  EXDEV: "invalid",
  ENOSYS: "unsupported",
  EOPNOTSUPP: "unsupported",
  EIO: "data_loss",
  ETIMEDOUT: "timeout",
};

/** strerror(3) in our words, for those that users meet. */
const texts: Readonly<Record<string, string>> = {
  ENOENT: "no such file or directory",
  ESRCH: "no such process",
  EEXIST: "it exists already",
  EACCES: "permission denied",
  EPERM: "operation not permitted",
  ENOSPC: "no space left on the device",
  EDQUOT: "the disk quota is used up",
  EMFILE: "too many open files in this process",
  ENFILE: "too many open files on this machine",
  ENOMEM: "out of memory",
  EBUSY: "it is in use",
  EAGAIN: "try again later",
  EINVAL: "the kernel calls it invalid",
  ENAMETOOLONG: "the name is too long",
  ELOOP: "a symbolic link is in the way",
  ENOTDIR: "not a directory",
  EISDIR: "it is a directory",
  ENOTEMPTY: "the directory is not empty",
  EXDEV: "it leads to another file system or out of its root",
  EROFS: "the file system is read-only",
  ENOSYS: "this kernel does not have the call",
  EOPNOTSUPP: "not supported here",
  ENODATA: "there is no such attribute",
  ENODEV: "no such device or file system type",
  EPIPE: "the other end is closed",
  ECONNREFUSED: "no one listens there",
  ECONNRESET: "the other end went away",
  ETXTBSY: "the program file is being written to",
  ENOEXEC: "the file is not a program this machine can run",
  EIO: "input/output error",
};

export interface Attempt {
  /** The system call, for the record: "openat2". */
  readonly call: string;
  /** The attempt, as a verb that an object follows: "open". */
  readonly verb: string;
  /** The object: a path, an address. */
  readonly about?: string | Uint8Array;
  /** The remedy, as a sentence without its capital. */
  readonly hint?: string;
  /** The kernel's own words, where it has any beside the number. */
  readonly detail?: string;
}

/** "ENOENT" for 2; "errno N" for a number without a name. `errno` is positive. */
export function errnoName(errno: number): string {
  return names.get(errno) ?? `errno ${errno}`;
}

/** The one place where an errno becomes a Fault. */
export function errnoFault(errno: number, attempt: Attempt): Fault {
  const name = errnoName(errno);
  const about =
    attempt.about instanceof Uint8Array
      ? Buffer.from(attempt.about).toString("utf8")
      : attempt.about;
  const what = about === undefined ? attempt.verb : `${attempt.verb} ${about}`;
  const why = attempt.detail ?? texts[name] ?? name;
  const hint = attempt.hint === undefined ? "" : `; ${attempt.hint}`;
  return new Fault(
    codes[name] ?? "internal",
    `cannot ${what}: ${why} (${attempt.call}: ${name})${hint}`,
    {
      errno: name,
      ...defined({ about }),
    },
  );
}

/** The result of a system call, or the Fault of its errno when it is negative. */
export function check(result: number, attempt: Attempt): number {
  if (result < 0) throw errnoFault(-result, attempt);
  return result;
}
