import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  futimesSync,
  lchownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readlinkSync,
  type Stats,
  symlinkSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { Fault, StepBudget } from "#base";
import { nameComponents, showName, type TarHeader, textToName } from "#tar";

/**
 * Unpacks packages into a tree as dpkg does, which differs from applying a layer: a directory in
 * the archive leaves a symbolic link to a directory alone, so that /bin stays a link to /usr/bin,
 * and nothing replaces a directory. Links are followed inside the tree only. It is sound as long as
 * only such writers change the tree: a path that was once seen as a directory stays one.
 *
 * Paths are bytes, one per character ("latin1"), as the tar reader gives them.
 */
export class TreeWriter {
  readonly #root: string;
  readonly #about: string;
  /** Resolved directories by the path they were asked for under. */
  readonly #directories = new Map<string, string>();

  constructor(root: string, about: string) {
    this.#root = textToName(root);
    this.#about = about;
  }

  async put(entry: TarHeader & { readonly body: AsyncIterable<Uint8Array> }): Promise<void> {
    const components = nameComponents(entry.name);
    const last = components.pop();
    if (last === undefined) return setMetadata(this.#root, entry);
    const path = `${this.#parent(components, entry)}/${last}`;
    switch (entry.type) {
      case "directory":
        return this.#directory(path, [...components, last], entry);
      case "file":
        return await this.#file(path, entry);
      case "symlink":
        this.#clear(path, entry);
        symlinkSync(bytes(entry.linkName), bytes(path));
        return setLinkMetadata(path, entry);
      case "hardlink":
        this.#clear(path, entry);
        return linkSync(bytes(this.#hardlinkSource(entry)), bytes(path));
      default:
        throw this.#malformed(entry, `no package has a ${entry.type} among its files`);
    }
  }

  #directory(path: string, components: string[], entry: TarHeader): void {
    const found = look(path) ?? make(path);
    if (found.isSymbolicLink()) {
      this.#parent(components, entry);
      return;
    }
    if (!found.isDirectory()) throw this.#malformed(entry, "a file is in its place");
    setMetadata(path, entry);
  }

  async #file(
    path: string,
    entry: TarHeader & { readonly body: AsyncIterable<Uint8Array> },
  ): Promise<void> {
    this.#clear(path, entry);
    const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
    const fd = openSync(bytes(path), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    try {
      for await (const chunk of entry.body)
        for (let at = 0; at < chunk.byteLength; ) at += writeSync(fd, chunk, at);
      fchownSync(fd, entry.uid, entry.gid);
      fchmodSync(fd, entry.mode);
      const seconds = toSeconds(entry.mtime);
      futimesSync(fd, seconds, seconds);
    } finally {
      closeSync(fd);
    }
  }

  #hardlinkSource(entry: TarHeader): string {
    const components = nameComponents(entry.linkName);
    const last = components.pop();
    if (last === undefined) throw this.#malformed(entry, "it links to the tree itself");
    const source = `${this.#parent(components, entry)}/${last}`;
    if (!look(source)?.isFile())
      throw this.#malformed(entry, `it links to ${showName(entry.linkName)}, which is missing`);
    return source;
  }

  /** Makes room for something that is not a directory. */
  #clear(path: string, entry: TarHeader): void {
    const found = look(path);
    if (found?.isDirectory()) throw this.#malformed(entry, "a directory is in its place");
    if (found !== undefined) unlinkSync(bytes(path));
  }

  /** The directory that components lead to from the root, links followed inside it; made where it is missing. */
  #parent(components: readonly string[], entry: TarHeader): string {
    const key = components.join("/");
    const known = this.#directories.get(key);
    if (known !== undefined) return known;
    const todo = [...components];
    let at = this.#root;
    const budget = new StepBudget();
    for (let name = todo.shift(); name !== undefined; name = todo.shift()) {
      if (!budget.take()) throw this.#malformed(entry, "too many symbolic links on the way");
      if (name === "..") {
        if (at !== this.#root) at = at.slice(0, at.lastIndexOf("/"));
        continue;
      }
      const path = `${at}/${name}`;
      const found = look(path) ?? make(path);
      if (found.isDirectory()) {
        at = path;
      } else if (found.isSymbolicLink()) {
        const target = readlinkSync(bytes(path), { encoding: "buffer" }).toString("latin1");
        if (target.startsWith("/")) at = this.#root;
        todo.unshift(...target.split("/").filter((part) => part !== "" && part !== "."));
      } else {
        throw this.#malformed(entry, "there is a file where it needs a directory");
      }
    }
    this.#directories.set(key, at);
    return at;
  }

  #malformed(entry: TarHeader, why: string): Fault {
    return new Fault(
      "invalid",
      `${this.#about}: ${showName(entry.name)} cannot be unpacked: ${why}`,
      {
        about: this.#about,
      },
    );
  }
}

const bytes = (path: string) => Buffer.from(path, "latin1");

const toSeconds = (nanoseconds: bigint) => Number(nanoseconds / 1_000_000_000n);

function look(path: string): Stats | undefined {
  return lstatSync(bytes(path), { throwIfNoEntry: false });
}

/** Another writer may have made it in between. */
function make(path: string): Stats {
  try {
    mkdirSync(bytes(path), 0o755);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  }
  return lstatSync(bytes(path));
}

function setMetadata(path: string, { uid, gid, mode, mtime }: TarHeader): void {
  lchownSync(bytes(path), uid, gid);
  chmodSync(bytes(path), mode);
  lutimesSync(bytes(path), toSeconds(mtime), toSeconds(mtime));
}

function setLinkMetadata(path: string, { uid, gid, mtime }: TarHeader): void {
  lchownSync(bytes(path), uid, gid);
  lutimesSync(bytes(path), toSeconds(mtime), toSeconds(mtime));
}
