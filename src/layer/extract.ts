import { defined, Fault, isFault } from "#base";
import {
  type Fd,
  ftruncate,
  linkat,
  mkdirat,
  mknodat,
  O_CREAT,
  O_EXCL,
  O_NOFOLLOW,
  O_WRONLY,
  type Owner,
  openat2,
  S_IFBLK,
  S_IFCHR,
  S_IFIFO,
  symlinkat,
  utimensat,
  writeAll,
  writeAt,
} from "#kernel";
import { nameComponents, showName, type TarHeader, type TarSink } from "#tar";
import { type Place, setAttributes } from "./attributes.ts";
import { ExtractedDirectories, isDirectory, makeOpaque, statOf } from "./extracted-directories.ts";
import { isHole } from "./hole.ts";
import {
  isWhiteout,
  makeWhiteout,
  markPrefix,
  opaqueName,
  pathOf,
  whiteoutPrefix,
} from "./whiteout.ts";

interface OpenFile {
  readonly fd: Fd;
  readonly header: TarHeader;
  position: number;
}

/** How an archive is unpacked. */
export interface ExtractOptions {
  /**
   * Whether the archive is no layer: a name that begins with ".wh." is a name like any other, and
   * the overlay's attributes are set.
   */
  readonly exact?: boolean;
  /** The directory that is filled keeps its own attributes. */
  readonly keepsRoot?: boolean;
  /** A directory is not replaced by something else, nor something else by a directory. */
  readonly keepsKinds?: boolean;
  /** Owns all that is made, whatever the archive says. */
  readonly owner?: Owner | undefined;
}

/**
 * Makes the members of an archive in a directory, as they come: ownership, modes, times in
 * nanoseconds, extended attributes, links and devices. A later member of a name replaces the
 * earlier one; a directory keeps its entries. Other processes may change the tree meanwhile: no
 * name is followed out of the root, and attributes are set on files that are open. A Fault names the
 * member; the files that were made before it stay.
 */
export class TreeExtractor implements TarSink, Disposable {
  readonly #root: Fd;
  readonly #directories: ExtractedDirectories;
  #file: OpenFile | undefined;

  readonly #options: ExtractOptions;
  readonly #exact: boolean;

  /** @param root the directory to fill; nothing outside of it is ever touched */
  constructor(root: Fd, options: ExtractOptions = {}) {
    const { exact = false } = options;
    this.#root = root;
    this.#options = options;
    this.#exact = exact;
    this.#directories = new ExtractedDirectories(root, { exact });
  }

  entry(header: TarHeader): void {
    const { owner } = this.#options;
    this.#naming(header, () => this.#make(owner ? { ...header, ...owner } : header));
  }

  data(bytes: Buffer, offset: number): void {
    const file = this.#file;
    if (!file) return;
    this.#naming(file.header, () => {
      // `end` gives the file its size.
      if (isHole(bytes)) return;
      if (offset === file.position) writeAll(file.fd, bytes);
      else writeAt(file.fd, bytes, offset);
      // A write at a position does not move the descriptor; go on by position then.
      file.position = offset === file.position ? offset + bytes.length : -1;
    });
  }

  end(): void {
    const file = this.#file;
    this.#file = undefined;
    if (!file) return;
    using fd = file.fd;
    const { header } = file;
    this.#naming(header, () => {
      if (file.position !== header.size) ftruncate(fd, header.size);
      const made = { directory: fd, name: "" };
      this.#setAttributes(made, header);
      this.#setTime(made, header.mtime);
    });
  }

  /** Directories that no member has named yet: see ExtractedDirectories. */
  get implied(): readonly string[] {
    return this.#directories.implied;
  }

  /** Call after the last member. */
  finish(): void {
    this.#directories.setTimes();
  }

  [Symbol.dispose](): void {
    this.#file?.fd.close();
    this.#directories[Symbol.dispose]();
  }

  #make(header: TarHeader): void {
    const components = nameComponents(header.name);
    const base = components.pop();
    if (base === undefined) {
      if (!this.#options.keepsRoot) this.#makeRoot(header);
    } else if (!this.#exact && isWhiteoutName(components, base)) this.#whiteout(components, base);
    else this.#makeMember(header, components, base);
  }

  #makeMember(header: TarHeader, components: readonly string[], base: string): void {
    const place = { directory: this.#directories.open(components), name: pathOf(base) };
    if (this.#options.keepsKinds) checkKind(place, header);
    if (header.type === "directory") {
      this.#makeDirectory(place, header);
      this.#directories.named(place.directory, base, header.mtime);
    } else if (header.type === "hardlink") this.#makeHardlink(place, header);
    else this.#replacing(place, () => this.#makeNode(place, header));
  }

  #makeRoot(header: TarHeader): void {
    if (header.type !== "directory") {
      throw new Fault("invalid", `the root is a ${header.type}, not a directory`);
    }
    this.#setAttributes({ directory: this.#root, name: "" }, header);
    this.#directories.rootNamed(header.mtime);
  }

  #makeNode(place: Place, header: TarHeader): void {
    const { directory, name } = place;
    if (header.type === "file") {
      const fd = openat2(directory, name, {
        flags: O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW,
        mode: 0o600,
      });
      this.#file = { fd, header, position: 0 };
      return;
    }
    if (header.type === "symlink") {
      if (header.linkName === "") throw new Fault("invalid", "a symbolic link leads nowhere");
      symlinkat(pathOf(header.linkName), directory, name);
    } else {
      const type = header.type === "fifo" ? S_IFIFO : header.type === "block" ? S_IFBLK : S_IFCHR;
      mknodat(directory, name, { mode: type | 0o600, ...header.device });
    }
    this.#setAttributes(place, header);
    this.#setTime(place, header.mtime);
  }

  #setAttributes(place: Place, header: TarHeader): void {
    setAttributes(place, header, { isSymlink: header.type === "symlink", exact: this.#exact });
  }

  #makeDirectory(place: Place, header: TarHeader): void {
    const there = statOf(place);
    if (!there || !isDirectory(there)) {
      if (there) this.#directories.remove(place, there);
      mkdirat(place.directory, place.name, 0o700);
      // The whiteout said that nothing of the layers below shines through.
      if (!this.#exact && there && isWhiteout(there)) makeOpaque(place);
    }
    this.#setAttributes(place, header);
  }

  #makeHardlink(place: Place, header: TarHeader): void {
    const components = nameComponents(header.linkName);
    const base = components.pop();
    const parent = base === undefined ? undefined : this.#directories.find(components);
    const target =
      parent && base !== undefined ? { directory: parent, name: pathOf(base) } : undefined;
    const stat = target && statOf(target);
    if (!target || !stat || isDirectory(stat)) {
      throw new Fault(
        "invalid",
        `it is a hard link to ${showName(header.linkName)}, which the archive has not made${stat ? " a file" : ""}`,
      );
    }
    const there = statOf(place);
    if (there?.ino === stat.ino && there.dev === stat.dev) return;
    this.#replacing(place, () =>
      linkat(
        { directory: target.directory, path: target.name },
        { directory: place.directory, path: place.name },
      ),
    );
  }

  /** A whiteout hides the files of the layers below; those of this layer stay. */
  #whiteout(components: readonly string[], base: string): void {
    const directory = this.#directories.open(components);
    if (base === opaqueName) {
      makeOpaque({ directory, name: "" });
      return;
    }
    if (base.startsWith(markPrefix)) return;
    const hidden = base.slice(whiteoutPrefix.length);
    if (hidden === "" || hidden === "." || hidden === "..") {
      throw new Fault("invalid", "it is a whiteout of nothing");
    }
    const place = { directory, name: pathOf(hidden) };
    const there = statOf(place);
    if (there && isDirectory(there)) makeOpaque(place);
    if (!there) makeWhiteout(directory, place.name);
  }

  /** Does `make` after removing the file that has the name already. */
  #replacing(place: Place, make: () => void): void {
    try {
      make();
    } catch (error) {
      const there = isFault(error) && error.errno === "EEXIST" ? statOf(place) : undefined;
      if (!there) throw error;
      this.#directories.remove(place, there);
      make();
    }
  }

  #setTime(place: Place, mtime: bigint): void {
    utimensat(place.directory, place.name, { atime: mtime, mtime });
  }

  #naming(header: TarHeader, work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!isFault(error)) throw error;
      throw new Fault(error.code, `extracting ${showName(header.name)}: ${error.message}`, {
        cause: error,
        ...defined({ about: error.about, errno: error.errno }),
      });
    }
  }
}

/** In Docker's words. */
function checkKind(place: Place, { name, type }: TarHeader): void {
  const there = statOf(place);
  if (!there || isDirectory(there) === (type === "directory")) return;
  const kinds = ["directory", "non-directory"] as const;
  const [old, made] = isDirectory(there) ? kinds : [...kinds].reverse();
  const shown = showName(nameComponents(name).join("/"));
  throw new Fault("conflict", `cannot overwrite ${old} ${shown} with ${made}`);
}

function isWhiteoutName(components: readonly string[], base: string): boolean {
  const hidden = components.find((each) => each.startsWith(whiteoutPrefix));
  if (hidden !== undefined) {
    throw new Fault("invalid", `${showName(hidden)} is a whiteout and cannot be a directory`);
  }
  return base.startsWith(whiteoutPrefix);
}
