import { lstatSync } from "node:fs";
import { Fault, isFault, StepBudget } from "#base";
import {
  type Fd,
  fstatat,
  getXattr,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
  openat2,
  openRegularFile,
  readInto,
  readlinkat,
  S_IFCHR,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  type Stat,
} from "#kernel";

/** As Linux does (path_resolution(7)). */
const maxLinks = 40;

/** One directory of the merged tree: the same path in those layers that have it, uppermost first. */
interface Level {
  readonly name: string;
  readonly directories: readonly Fd[];
}

export interface StackEntry {
  readonly stat: Stat;
  /** The directory of the layer that it is from. */
  readonly directory: Fd;
  /** "" for the root. */
  readonly name: string;
}

/**
 * Looks into a stack of overlay layers without mounting it: whiteouts, opaque
 * directories and links across layers are taken as the kernel takes them. Holds
 * descriptors, not paths, so that a container that swaps directories for links
 * meanwhile cannot lead it out of the layers.
 */
export class StackView implements Disposable {
  readonly #levels: Level[] = [];
  /** A step is a look at one name in one layer. */
  readonly #budget = new StepBudget();
  #links = 0;

  constructor(layers: readonly string[]) {
    const directories: Fd[] = [];
    this.#levels.push({ name: "", directories });
    try {
      for (const layer of layers) {
        directories.push(openat2(undefined, layer, { flags: O_PATH | O_DIRECTORY }));
      }
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  [Symbol.dispose](): void {
    for (const level of this.#levels) closeAll(level.directories);
    this.#levels.length = 0;
  }

  /**
   * The entry at a path, the final link followed too; call it once. Valid while the view is.
   * `invalid` when its links lead further than a walk may go.
   */
  find(path: string): StackEntry | undefined {
    const rest = split(path).reverse();
    for (let name = rest.pop(); name !== undefined; name = rest.pop()) {
      if (!this.#budget.take(this.#levels.at(-1)?.directories.length)) throw tooManyLinks(path);
      if (name === "..") {
        this.#leave();
        continue;
      }
      const entry = this.#entry(name);
      if (!entry) return undefined;
      const type = entry.stat.mode & S_IFMT;
      if (type === S_IFLNK) {
        const target = this.#follow(entry, path);
        rest.push(...split(target).reverse());
      } else if (type === S_IFDIR) this.#enter(name);
      else return rest.length === 0 ? entry : undefined;
    }
    const [directory] = this.#levels.at(-1)?.directories ?? [];
    if (!directory) return undefined;
    return { stat: fstatat(directory, "", false), directory, name: "" };
  }

  #leave(): void {
    if (this.#levels.length > 1) closeAll(this.#levels.pop()?.directories ?? []);
  }

  #follow(entry: StackEntry, path: string): string {
    if (++this.#links > maxLinks) throw tooManyLinks(path);
    const target = readlinkat(entry.directory, entry.name);
    if (target.startsWith("/")) while (this.#levels.length > 1) this.#leave();
    return target;
  }

  /** The uppermost layer that knows the name decides. */
  #entry(name: string): StackEntry | undefined {
    for (const directory of this.#levels.at(-1)?.directories ?? []) {
      if (!has(directory, name)) continue;
      const stat = fstatat(directory, name, false);
      return isWhiteout(stat) ? undefined : { stat, directory, name };
    }
    return undefined;
  }

  /** Merges the directories of a name, down to the first opaque one, whiteout or file. */
  #enter(name: string): void {
    const directories: Fd[] = [];
    this.#levels.push({ name, directories });
    for (const above of this.#levels.at(-2)?.directories ?? []) {
      if (!has(above, name)) continue;
      let directory: Fd;
      try {
        directory = openat2(above, name, { flags: O_PATH | O_DIRECTORY | O_NOFOLLOW });
      } catch (error) {
        if (isFault(error)) return;
        throw error;
      }
      directories.push(directory);
      if (getXattr(directory, "", "trusted.overlay.opaque")?.toString() === "y") return;
    }
  }
}

/** Reads a regular file of at most `limit` bytes; undefined for anything else. */
export function readEntry(
  { directory, name, stat }: StackEntry,
  limit: number,
): Buffer | undefined {
  if ((stat.mode & S_IFMT) !== S_IFREG) return undefined;
  // A container may have put a device in its place since.
  using fd = openRegularFile(directory, name);
  if (!fd) return undefined;
  const { size } = fstatat(fd, "", false);
  const buffer = Buffer.alloc(Math.min(size, limit) + 1);
  let filled = 0;
  for (;;) {
    const got = readInto(fd, buffer.subarray(filled));
    filled += got;
    if (filled > limit) {
      throw new Fault("exhausted", `the file ${name} is larger than ${limit} bytes`, {
        about: name,
      });
    }
    if (got === 0 || filled === buffer.length) return buffer.subarray(0, filled);
  }
}

function split(path: string): string[] {
  return path.split("/").filter((each) => each !== "" && each !== ".");
}

/** Without the cost of an Error for a name that is missing, which most layers do. */
function has(directory: Fd, name: string): boolean {
  const path = `/proc/self/fd/${directory.number}/${name}`;
  return name.length <= 255 && lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

function isWhiteout({ mode, rdev }: Stat): boolean {
  return (mode & S_IFMT) === S_IFCHR && rdev.major === 0 && rdev.minor === 0;
}

function closeAll(directories: readonly Fd[]): void {
  for (const directory of directories) directory.close();
}

function tooManyLinks(path: string): Fault {
  return new Fault("invalid", `${path} leads through too many symbolic links`, { about: path });
}
