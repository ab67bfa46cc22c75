import { readdirSync } from "node:fs";
import { posix } from "node:path";
import { Fault } from "#base";
import {
  descriptorPath,
  type Fd,
  fstatat,
  O_DIRECTORY,
  O_PATH,
  openat2,
  openRegularFile,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  readInto,
  readlinkat,
  S_IFLNK,
  S_IFMT,
} from "#kernel";
import { modeToGo } from "../files/go-mode.ts";
import type { Stat } from "../protobuf/file-messages.ts";
import type { Input } from "../protobuf/message.ts";

const resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
/** What a message holds. */
const maxFileBytes = 15 << 20;
const maxEntries = 50_000;

/** A part of a file in the tree of a result; without a range all of it. No link leads out of the tree. */
export function readPart(
  tree: string,
  path: string,
  range: { readonly offset: bigint; readonly length: bigint } | undefined,
): Uint8Array {
  using root = openTree(tree);
  using found = openat2(root, path, { flags: O_PATH, resolve });
  using fd = openRegularFile(found, "");
  if (!fd) throw new Fault("invalid", `${path} is not a regular file`, { about: path });
  const { size } = fstatat(fd, "", false);
  const offset = Number(range?.offset ?? 0n);
  const rest = Math.max(0, size - offset);
  const length = range && range.length > 0n ? Math.min(rest, Number(range.length)) : rest;
  if (length > maxFileBytes)
    throw new Fault("exhausted", `${path} has more than ${maxFileBytes} bytes: read it in parts`);
  const bytes = Buffer.allocUnsafe(length);
  return bytes.subarray(0, length === 0 ? 0 : readInto(fd, bytes, offset));
}

/** The entries of a directory in the tree of a result whose names match the pattern; "" for all. */
export function readDirectory(tree: string, path: string, pattern: string): Input<typeof Stat>[] {
  using root = openTree(tree);
  using directory = openat2(root, path, { flags: O_PATH | O_DIRECTORY, resolve });
  const names = readdirSync(descriptorPath(directory)).filter(
    (name) => pattern === "" || posix.matchesGlob(name, pattern),
  );
  if (names.length > maxEntries)
    throw new Fault("exhausted", `${path} has more than ${maxEntries} entries`, { about: path });
  return names.sort().map((name) => describe(directory, name));
}

/** What a path in the tree of a result is; a link itself, not what it leads to. */
export function statFile(tree: string, path: string): Input<typeof Stat> {
  using root = openTree(tree);
  const clean = posix.join("/", path);
  if (clean === "/") return { ...describe(root, ""), path: "/" };
  using directory = openat2(root, posix.dirname(clean), { flags: O_PATH | O_DIRECTORY, resolve });
  return describe(directory, posix.basename(clean));
}

function openTree(tree: string): Fd {
  return openat2(undefined, tree, { flags: O_PATH | O_DIRECTORY });
}

function describe(directory: Fd, name: string): Input<typeof Stat> {
  const { mode, uid, gid, size, mtime, rdev } = fstatat(directory, name, false);
  return {
    ...{ path: name, mode: modeToGo(mode), uid, gid, size: BigInt(size), modTime: mtime },
    linkname: (mode & S_IFMT) === S_IFLNK ? readlinkat(directory, name) : "",
    ...{ devmajor: BigInt(rdev.major), devminor: BigInt(rdev.minor) },
  };
}
