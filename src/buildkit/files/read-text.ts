import { Fault, isFault } from "#base";
import {
  fstatat,
  O_DIRECTORY,
  O_PATH,
  openat2,
  openRegularFile,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  readInto,
} from "#kernel";

const resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;

/**
 * A text in a directory that a client sent; links are followed, and none leads out. Undefined when
 * there is no such file; `exhausted` when it is larger than `limit` bytes.
 */
export function readText(directory: string, name: string, limit: number): string | undefined {
  try {
    using root = openat2(undefined, directory, { flags: O_PATH | O_DIRECTORY });
    using found = openat2(root, name, { flags: O_PATH, resolve });
    using fd = openRegularFile(found, "");
    if (!fd) throw new Fault("invalid", `${name} is not a regular file`);
    const { size } = fstatat(fd, "", false);
    if (size > limit) throw new Fault("exhausted", `${name} is larger than ${limit} bytes`);
    const bytes = Buffer.allocUnsafe(size);
    return bytes.subarray(0, readInto(fd, bytes)).toString("utf8");
  } catch (error) {
    if (isFault(error, "not_found")) return undefined;
    throw error;
  }
}
