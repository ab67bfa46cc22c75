import {
  type FileHandle,
  lchown,
  link,
  lstat,
  mkdir,
  open,
  rm,
  symlink,
  utimes,
} from "node:fs/promises";
import { join } from "node:path";
import { areZeros, Fault } from "#base";
import { nameComponents, nameToText, readTar, showName, type TarEntry } from "#tar";
import { reasonOf } from "./local-file.ts";

/**
 * Puts the members of an archive below the directory `base`, as docker cp does: modes and times are
 * kept, owners are the user's own, unless `owners` is set and the user may give files away. The archive is not trusted: no name leads out of `base`, no link
 * that came with it is walked through, and a thing that stands in a file's place is removed and
 * never written through. Gives the bytes of the files. Devices, pipes and sockets are left out and
 * told to `skip`.
 */
export async function receiveTree(
  archive: AsyncIterable<Uint8Array>,
  base: string,
  options: {
    /** The place of a member whose name has these components; [] is `base` itself. */
    readonly rename?: (components: readonly string[]) => readonly string[];
    readonly owners?: boolean;
    readonly skip: (name: string) => Promise<void>;
  },
): Promise<number> {
  const { rename = (components) => components, owners = false, skip } = options;
  const directories: { readonly path: string; readonly entry: TarEntry }[] = [];
  let bytes = 0;
  for await (const entry of readTar(archive)) {
    const place = (name: string) => rename(nameComponents(name)).map((part) => nameToText(part));
    const components = place(entry.name);
    const path = join(base, ...components);
    const parent = components.slice(0, -1);
    try {
      if (entry.type === "directory") {
        await makeDirectories(base, components);
        directories.push({ path, entry });
        continue;
      }
      if (components.length === 0) throw new Error("it has no name");
      await makeDirectories(base, parent);
      if (entry.type === "file") {
        await clear(path);
        await writeMember(path, entry, owners);
        bytes += entry.size;
      } else if (entry.type === "symlink") {
        await clear(path);
        await symlink(nameToText(entry.linkName), path);
        if (owners) await give(() => lchown(path, entry.uid, entry.gid));
      } else if (entry.type === "hardlink") {
        const target = place(entry.linkName);
        await requireDirectories(base, target.slice(0, -1));
        await clear(path);
        await link(join(base, ...target), path);
      } else await skip(nameToText(entry.name));
    } catch (cause) {
      if (cause instanceof Fault) throw cause;
      throw new Fault("invalid", `cannot write ${path}: ${reasonOf(cause)}`, {
        about: path,
        cause,
      });
    }
  }
  // The innermost first: to write into a directory changes its time, and may not be allowed.
  for (const { path, entry } of directories.toReversed()) await settle(path, entry, owners);
  return bytes;
}

/** Whoever may not give files away keeps them. */
async function give(work: () => Promise<void>): Promise<void> {
  await work().catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EPERM") throw error;
  });
}

async function writeMember(path: string, entry: TarEntry, owners: boolean): Promise<void> {
  // No other user may read it before its mode is set; "wx" follows no link.
  const file = await open(path, "wx", 0o600);
  try {
    let at = 0;
    for await (const chunk of entry.body) {
      // Blocks of zeros are left out and become holes.
      if (!areZeros(chunk)) await writeAt(file, chunk, at);
      at += chunk.byteLength;
    }
    await file.truncate(at);
    if (owners) await give(() => file.chown(entry.uid, entry.gid));
    await file.chmod(entry.mode & 0o7777);
    const time = seconds(entry);
    await file.utimes(time, time);
  } finally {
    await file.close();
  }
}

async function writeAt(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.byteLength; ) {
    const left = bytes.byteLength - done;
    done += (await file.write(bytes, done, left, position + done)).bytesWritten;
  }
}

async function settle(path: string, entry: TarEntry, owners: boolean): Promise<void> {
  let directory: FileHandle | undefined;
  try {
    const opened = await open(path, "r");
    directory = opened;
    if (owners) await give(() => opened.chown(entry.uid, entry.gid));
    await opened.chmod(entry.mode & 0o7777);
    await utimes(path, seconds(entry), seconds(entry));
  } catch (cause) {
    throw new Fault("invalid", `cannot settle ${path}: ${reasonOf(cause)}`, { about: path, cause });
  } finally {
    await directory?.close();
  }
}

function seconds({ mtime }: TarEntry): number {
  return Number(mtime / 1_000_000n) / 1000;
}

async function clear(path: string): Promise<void> {
  const stat = await lstat(path).catch(() => undefined);
  if (stat?.isDirectory()) throw new Error("it is a directory");
  if (stat) await rm(path);
}

/** Makes the missing directories; anything but a directory on the way is an error. */
async function makeDirectories(base: string, components: readonly string[]): Promise<void> {
  let path = base;
  for (const part of components) {
    path = join(path, part);
    await mkdir(path, 0o755).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "EEXIST") throw error;
    });
    await requireDirectory(path);
  }
}

async function requireDirectories(base: string, components: readonly string[]): Promise<void> {
  let path = base;
  for (const part of components) {
    path = join(path, part);
    await requireDirectory(path);
  }
}

async function requireDirectory(path: string): Promise<void> {
  const stat = await lstat(path);
  if (!stat.isDirectory()) {
    throw new Fault(
      "invalid",
      `the archive leads through ${showName(path)}, which is not a directory; nothing is written there`,
      { about: path },
    );
  }
}
