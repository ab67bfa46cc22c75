import { opendir } from "node:fs/promises";
import { posix } from "node:path";
import {
  descriptorPath,
  type Fd,
  fchmodat,
  fstatat,
  linkat,
  mkdirat,
  mknodat,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_PATH,
  O_WRONLY,
  openat2,
  type Place,
  RESOLVE_BENEATH,
  RESOLVE_NO_SYMLINKS,
  readlinkat,
  removeTree,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  setXattr,
  symlinkat,
  unlinkat,
  utimensat,
} from "#kernel";
import type { IncomingEntry } from "./incoming-entry.ts";

/** What tells whether a file has changed. */
interface Known {
  readonly mode: number;
  readonly size: number;
  readonly mtime: bigint;
  readonly link: string;
  readonly hasXattrs: boolean;
}

const resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;

/**
 * A directory of the engine with what a client sent into it, and what is known of each file there.
 * Times are set last, so that whatever a crash leaves half written looks changed. No path is walked
 * through a symbolic link, or out of the directory. After a fault of its methods it has to be opened
 * anew.
 */
export class ReceivedDirectory implements Disposable {
  readonly #root: Fd;
  readonly #known: Map<string, Known>;
  /** The directory that was opened last: most files are in the same as the one before. */
  #parent: { readonly path: string; readonly fd: Fd } | undefined;

  private constructor(root: Fd, known: Map<string, Known>) {
    this.#root = root;
    this.#known = known;
  }

  /** Opens an existing directory of ours, and looks at what is in it. */
  static async open(path: string): Promise<ReceivedDirectory> {
    const root = openat2(undefined, path, { flags: O_PATH | O_DIRECTORY | O_NOFOLLOW });
    try {
      const known = new Map<string, Known>();
      await look(root, "", known);
      return new ReceivedDirectory(root, known);
    } catch (error) {
      root.close();
      throw error;
    }
  }

  /** Whether the file is there as it was announced. */
  has({ path, mode, size, mtime, link, xattrs }: IncomingEntry): boolean {
    const known = this.#known.get(path);
    if (!known || known.hasXattrs || xattrs.size > 0) return false;
    return (
      known.mode === mode && known.size === size && known.mtime === mtime && known.link === link
    );
  }

  /** Makes a directory; one that is there stays, with what is in it. */
  async makeDirectory(entry: IncomingEntry): Promise<void> {
    const known = this.#known.get(entry.path);
    if (known && (known.mode & S_IFMT) === S_IFDIR) return;
    await this.#clear(entry.path);
    const { directory, path } = this.#place(entry.path);
    mkdirat(directory, path, 0o700);
    this.#note(entry);
  }

  /** Makes a link or a node for a device, in place of what is there. */
  async makeNode(entry: IncomingEntry): Promise<void> {
    const { mode, link, device } = entry;
    await this.#clear(entry.path);
    const { directory, path } = this.#place(entry.path);
    const type = mode & S_IFMT;
    if (type === S_IFLNK) symlinkat(link, directory, path);
    else if (type === S_IFREG) this.#link(link, { directory, path });
    else mknodat(directory, path, { mode: type | 0o600, ...device });
    this.finish(entry);
  }

  /** A new, empty file to write to, in place of what is there. */
  async create(entry: IncomingEntry): Promise<Fd> {
    await this.#clear(entry.path);
    const { directory, path } = this.#place(entry.path);
    const flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW;
    return openat2(directory, path, { flags, mode: 0o600, resolve });
  }

  /** Gives what is complete but for that its attributes, its mode and its time. */
  finish(entry: IncomingEntry, size = entry.size): void {
    const { mode, mtime, xattrs } = entry;
    const { directory, path } = this.#place(entry.path);
    const type = mode & S_IFMT;
    if (type === S_IFREG || type === S_IFDIR) {
      for (const [attribute, value] of xattrs)
        if (isKept(attribute)) setXattr(directory, path, attribute, value);
    }
    if (type !== S_IFLNK) fchmodat(directory, path, mode & 0o7777);
    utimensat(directory, path, { atime: mtime, mtime });
    this.#note({ ...entry, size });
  }

  /** Removes all that is not in the list. */
  async keepOnly(paths: ReadonlySet<string>): Promise<void> {
    for (const path of [...this.#known.keys()]) {
      if (paths.has(path)) continue;
      // What is in a directory goes with it; that may have gone, or be a file by now.
      if (path.includes("/") && !this.#isKept(posix.dirname(path), paths)) this.#known.delete(path);
      else await this.#clear(path);
    }
  }

  #isKept(directory: string, paths: ReadonlySet<string>): boolean {
    const mode = this.#known.get(directory)?.mode ?? 0;
    return paths.has(directory) && (mode & S_IFMT) === S_IFDIR;
  }

  [Symbol.dispose](): void {
    this.#parent?.fd.close();
    this.#root.close();
  }

  #note({ path, mode, size, mtime, link, xattrs }: IncomingEntry): void {
    this.#known.set(path, { mode, size, mtime, link, hasXattrs: xattrs.size > 0 });
  }

  async #clear(path: string): Promise<void> {
    const known = this.#known.get(path);
    if (!known) return;
    const place = this.#place(path);
    if ((known.mode & S_IFMT) !== S_IFDIR) unlinkat(place.directory, place.path);
    else {
      this.#leaveParent();
      await removeTree(`${descriptorPath(this.#root)}/${path}`);
    }
    this.#known.delete(path);
  }

  #link(target: string, to: Place): void {
    const slash = target.lastIndexOf("/");
    using directory = this.#openDirectory(slash < 0 ? "." : target.slice(0, slash));
    linkat({ directory, path: target.slice(slash + 1) }, to);
  }

  /** A name, and its open directory, which stays ours. */
  #place(path: string): { readonly directory: Fd; readonly path: string } {
    const slash = path.lastIndexOf("/");
    if (slash < 0) return { directory: this.#root, path };
    const parent = path.slice(0, slash);
    if (this.#parent?.path !== parent) {
      const fd = this.#openDirectory(parent);
      this.#leaveParent();
      this.#parent = { path: parent, fd };
    }
    return { directory: this.#parent.fd, path: path.slice(slash + 1) };
  }

  #leaveParent(): void {
    this.#parent?.fd.close();
    this.#parent = undefined;
  }

  #openDirectory(path: string): Fd {
    return openat2(this.#root, path, { flags: O_PATH | O_DIRECTORY, resolve });
  }
}

/** Others change what the kernel of this machine does with the file, not what it is. */
function isKept(attribute: string): boolean {
  return attribute.startsWith("user.") || attribute === "security.capability";
}

async function look(directory: Fd, prefix: string, known: Map<string, Known>): Promise<void> {
  for await (const { name } of await opendir(descriptorPath(directory))) {
    const path = prefix + name;
    const { mode, size, mtime, nlink } = fstatat(directory, name, false);
    const type = mode & S_IFMT;
    known.set(path, {
      ...{ mode, mtime, size: type === S_IFREG ? size : 0 },
      link: type === S_IFLNK ? readlinkat(directory, name) : "",
      // Whether a file has attributes or other names is not looked at: such are sent again.
      hasXattrs: type === S_IFREG && nlink > 1,
    });
    if (type !== S_IFDIR) continue;
    using below = openat2(directory, name, { flags: O_PATH | O_DIRECTORY | O_NOFOLLOW });
    await look(below, `${path}/`, known);
  }
}
