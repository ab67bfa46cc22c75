import { constants } from "node:os";
import { addon } from "./addon.ts";
import { check, errnoName } from "./errno.ts";
import type { Fd } from "./fd.ts";

/**
 * One name in a directory, without slashes and not followed, or "" for the file that the descriptor
 * stands for; an O_PATH descriptor will do, also that of a symbolic link.
 */
export type Entry = string | Uint8Array;

/** The limit of xattr(7) for a value, and of listxattr(2) for all names. */
const XATTR_MAX = 64 << 10;

/** The value; undefined when the attribute is not set or the file system has no attributes. */
export function getXattr(fd: Fd, entry: Entry, attribute: string): Buffer | undefined {
  for (const room of [256, XATTR_MAX]) {
    const out = Buffer.allocUnsafe(room);
    const size = addon().getXattr(fd.number, entry, attribute, out);
    if (size === -constants.errno.ERANGE && room < XATTR_MAX) continue;
    const name = errnoName(-size);
    if (name === "ENODATA" || name === "EOPNOTSUPP") return undefined;
    check(size, { call: "getxattr", verb: `read the attribute ${attribute} of`, about: entry });
    return out.subarray(0, size);
  }
  return undefined;
}

/**
 * Sets an extended attribute ("user.name", "security.capability"), or replaces its value.
 * A final symbolic link is not followed.
 */
export function setXattr(fd: Fd, entry: Entry, attribute: string, value: Uint8Array): void {
  check(addon().setXattr(fd.number, entry, attribute, value), {
    call: "setxattr",
    verb: `set the attribute ${attribute} of`,
    about: entry,
  });
}

/** For names, which are read from it before anything else can be written to it. */
let listed: Buffer | undefined;

/** The names in the kernel's order; empty when the file system has no attributes. */
export function listXattr(fd: Fd, entry: Entry): string[] {
  listed ??= Buffer.allocUnsafe(XATTR_MAX);
  const out = listed;
  const size = addon().listXattr(fd.number, entry, out);
  if (errnoName(-size) === "EOPNOTSUPP") return [];
  check(size, { call: "listxattr", verb: "list the attributes of", about: entry });
  return size === 0 ? [] : out.toString("utf8", 0, size - 1).split("\0");
}

/** Removes an extended attribute; one that is not set is a Fault with ENODATA. */
export function removeXattr(fd: Fd, entry: Entry, attribute: string): void {
  check(addon().removeXattr(fd.number, entry, attribute), {
    call: "removexattr",
    verb: `remove the attribute ${attribute} of`,
    about: entry,
  });
}
