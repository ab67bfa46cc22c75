import type { BigIntStats } from "node:fs";
import { lstat, open, readdir, readlink, stat } from "node:fs/promises";
import { type TarHeader, TarWriter } from "#tar";
import { reasonOf } from "./local-file.ts";

const chunkSize = 256 << 10;

/** A file or directory of this machine, to be sent. */
export interface SentTree {
  readonly path: string;
  /** Its name in the archive, which all names begin with; one character a byte. "." is a directory's content. */
  readonly name: string;
  /** A link at the path itself is followed; links below it never are. */
  readonly follow: boolean;
}

/**
 * A file, or a directory with all in it, as a tar: owners by number, modes, times to the
 * nanosecond, links. Sockets are left out. A file that grows meanwhile is cut at the size that was
 * announced; one that shrinks is an error.
 */
export async function* sendTree({ path, name, follow }: SentTree): AsyncGenerator<Uint8Array> {
  const sender = new TreeSender();
  yield* sender.send(Buffer.from(path), name, follow);
  yield* sender.finish();
}

class TreeSender {
  readonly #links = new Map<string, string>();
  readonly #writer = new TarWriter((bytes) => this.#pending.push(bytes));
  #pending: Uint8Array[] = [];

  async *send(path: Buffer, name: string, follow = false): AsyncGenerator<Uint8Array> {
    const found = await statOf(path, follow);
    if (found.isDirectory()) {
      this.#writer.entry({ ...commonOf(found), type: "directory", name: `${name}/`, size: 0 });
      yield* this.#flush();
      const names = await readdir(path, { encoding: "buffer" });
      for (const each of names.sort(Buffer.compare)) {
        const below = Buffer.concat([path, Buffer.from("/"), each]);
        yield* this.send(below, `${name}/${each.toString("latin1")}`);
      }
    } else if (!this.#isLinkToSent(found, name)) yield* this.#sendOther(path, name, found);
    yield* this.#flush();
  }

  async *finish(): AsyncGenerator<Uint8Array> {
    this.#writer.finish();
    yield* this.#flush();
  }

  async *#sendOther(path: Buffer, name: string, found: BigIntStats): AsyncGenerator<Uint8Array> {
    const common = { ...commonOf(found), name, size: 0 };
    if (found.isFile()) {
      yield* this.#sendFile(path, { ...common, size: Number(found.size) });
    } else if (found.isSymbolicLink()) {
      const target = await readlink(path, { encoding: "buffer" });
      this.#writer.entry({ ...common, type: "symlink", linkName: target.toString("latin1") });
    } else if (found.isFIFO()) this.#writer.entry({ ...common, type: "fifo" });
    else if (found.isBlockDevice() || found.isCharacterDevice()) {
      const type = found.isBlockDevice() ? "block" : "character";
      this.#writer.entry({ ...common, type, device: deviceOf(found.rdev) });
    }
  }

  async *#sendFile(path: Buffer, header: Omit<TarHeader, "type">): AsyncGenerator<Uint8Array> {
    await using file = await open(path, "r");
    this.#writer.entry({ ...header, type: "file" });
    for (let left = header.size; left > 0; ) {
      const chunk = Buffer.allocUnsafe(Math.min(chunkSize, left));
      const { bytesRead } = await file.read(chunk, 0, chunk.length);
      if (bytesRead === 0) throw new Error(`${path} has become smaller while it was read`);
      left -= bytesRead;
      this.#writer.data(chunk.subarray(0, bytesRead));
      yield* this.#flush();
    }
  }

  /** Whether it is another name of a file that was sent. */
  #isLinkToSent(found: BigIntStats, name: string): boolean {
    if (found.nlink < 2n) return false;
    const key = `${found.dev}:${found.ino}`;
    const linkName = this.#links.get(key);
    if (linkName === undefined) this.#links.set(key, name);
    else this.#writer.entry({ ...commonOf(found), type: "hardlink", name, linkName, size: 0 });
    return linkName !== undefined;
  }

  *#flush(): Generator<Uint8Array> {
    const pending = this.#pending;
    this.#pending = [];
    yield* pending;
  }
}

async function statOf(path: string | Buffer, follow: boolean): Promise<BigIntStats> {
  const options = { bigint: true } as const;
  return follow ? await stat(path, options) : await lstat(path, options);
}

function commonOf({ mode, uid, gid, mtimeNs }: BigIntStats) {
  const ids = { uid: Number(uid), gid: Number(gid) };
  return { ...ids, mode: Number(mode) & 0o7777, mtime: mtimeNs, linkName: "" };
}

/** gnu_dev_major and gnu_dev_minor of sys/sysmacros.h. */
function deviceOf(rdev: bigint): { major: number; minor: number } {
  return {
    major: Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xfffff000n)),
    minor: Number((rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n)),
  };
}

/** The facts about a path of this machine; undefined when it is missing. */
export async function lookAt(
  path: string,
  { follow }: { readonly follow: boolean },
): Promise<BigIntStats | undefined> {
  try {
    return await statOf(path, follow);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new Error(`lstat ${path}: ${reasonOf(error)}`, { cause: error });
  }
}
