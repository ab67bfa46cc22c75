import { readdirSync } from "node:fs";
import { isFault, StepBudget } from "#base";
import {
  descriptorPath,
  type Fd,
  fstatat,
  O_NOFOLLOW,
  O_PATH,
  openat2,
  RESOLVE_BENEATH,
  readlinkat,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  type Stat,
} from "#kernel";

/** A thing in the tree, open so that no name is walked twice. */
export interface TreeEntry extends Disposable {
  readonly fd: Fd;
  readonly stat: Stat;
  /** Absolute path inside the tree, without links. */
  readonly path: string;
}

/** A step of a walk: the directory or file, and its path inside the tree. */
interface Step {
  readonly fd: Fd;
  readonly path: string;
}

/**
 * A root file system that strangers have made, with directories and files of the host at some of
 * its paths. Names are opened one by one, relative to a descriptor, and links are followed by hand:
 * no path leads out of the tree, whoever changes it meanwhile.
 */
export class ProgramTree {
  readonly #root: Fd;
  readonly #mounts: ReadonlyMap<string, Fd>;

  constructor(root: Fd, mounts: ReadonlyMap<string, Fd> = new Map()) {
    this.#root = root;
    this.#mounts = mounts;
  }

  /** Undefined where the path leads to nothing. */
  open(path: string): TreeEntry | undefined {
    using opened = new DisposableStack();
    const walked: Step[] = [{ fd: this.#root, path: "" }];
    const todo = path.split("/");
    for (const budget = new StepBudget(); budget.take(); ) {
      const name = todo.shift();
      const at = walked.at(-1) as Step;
      if (name === undefined) return entryOf(at);
      if (name === "" || name === ".") continue;
      if (name === "..") {
        if (walked.length > 1) walked.pop();
        continue;
      }
      const step = this.#child(at, name);
      if (!step) return undefined;
      opened.use(step.fd);
      if (!isLink(step.fd)) {
        walked.push(step);
        continue;
      }
      const target = readlinkat(step.fd, "");
      if (target.startsWith("/")) walked.length = 1;
      todo.unshift(...target.split("/"));
    }
    return undefined;
  }

  /** As `open`, of regular files alone. */
  openFile(path: string): TreeEntry | undefined {
    const entry = this.open(path);
    if (!entry || (entry.stat.mode & S_IFMT) === S_IFREG) return entry;
    entry[Symbol.dispose]();
    return undefined;
  }

  /** Whether the path leads to something. */
  has(path: string): boolean {
    using entry = this.open(path);
    return entry !== undefined;
  }

  /** The names in a directory, in order; none where it is no directory. */
  names(path: string): readonly string[] {
    using entry = this.open(path);
    if (!entry || (entry.stat.mode & S_IFMT) !== S_IFDIR) return [];
    return readdirSync(descriptorPath(entry.fd)).sort();
  }

  #child(at: Step, name: string): Step | undefined {
    const path = `${at.path}/${name}`;
    const mounted = this.#mounts.get(path);
    if (mounted) return { fd: mounted.duplicate(), path };
    try {
      const how = { flags: O_PATH | O_NOFOLLOW, resolve: RESOLVE_BENEATH };
      return { fd: openat2(at.fd, name, how), path };
    } catch (error) {
      const errno = isFault(error) ? (error.errno ?? "") : "";
      if (/^(ENOENT|ENOTDIR|ENAMETOOLONG)$/.test(errno)) return undefined;
      throw error;
    }
  }
}

function isLink(fd: Fd): boolean {
  return (fstatat(fd, "", false).mode & S_IFMT) === S_IFLNK;
}

function entryOf({ fd, path }: Step): TreeEntry {
  const own = fd.duplicate();
  return {
    fd: own,
    stat: fstatat(own, "", false),
    path: path || "/",
    [Symbol.dispose]: () => own.close(),
  };
}
