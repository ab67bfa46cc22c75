import { type BigIntStats, type Dirent, lstatSync, readdirSync, readlinkSync } from "node:fs";
import type { IgnoreMatcher, IgnoreState } from "#dockerfile";
import type { ContextEntry } from "#wire";
import { Exit } from "../failure.ts";
import { reasonOf } from "../local-file.ts";

/** The entries of a context, and the sockets in it, which are left out. */
export interface ContextWalk {
  readonly entries: readonly ContextEntry[];
  readonly sockets: readonly string[];
}

const typeBits = 0o170000;

/**
 * The directories, files and links below `directory`, each after its directory, in the order of
 * their names. What `matcher` leaves out is not looked at, and a directory that it leaves out is
 * there only for something in it. Devices, pipes, names that are not UTF-8 and what cannot be read
 * end the command with an error that names them.
 */
export function walkContext(directory: string, matcher: IgnoreMatcher | undefined): ContextWalk {
  const walk = new Walk(directory, matcher);
  walk.list("", matcher?.root);
  return walk;
}

class Walk implements ContextWalk {
  readonly entries: ContextEntry[] = [];
  readonly sockets: string[] = [];
  readonly #root: string;
  readonly #matcher: IgnoreMatcher | undefined;
  /** Directories that are left out and on the way to what is looked at. */
  #pending: ContextEntry[] = [];

  constructor(root: string, matcher: IgnoreMatcher | undefined) {
    this.#root = root;
    this.#matcher = matcher;
  }

  list(path: string, state: IgnoreState | undefined): void {
    for (const found of this.#read(path)) {
      const below = path === "" ? found.name : `${path}/${found.name}`;
      const inner = state && this.#matcher?.step(state, below);
      if (!inner?.isIgnored) this.#keep(below, found, inner);
      else if (found.isDirectory() && this.#matcher?.mayHoldKept(below)) {
        const entry = this.#entry(below);
        if (!entry) continue;
        this.#pending.push(entry);
        this.list(below, inner);
        // Still there: nothing in it was kept.
        if (this.#pending.at(-1) === entry) this.#pending.pop();
      }
    }
  }

  #keep(path: string, found: Dirent, state: IgnoreState | undefined): void {
    if (found.isSocket()) {
      this.sockets.push(path);
      return;
    }
    if (!found.isFile() && !found.isDirectory() && !found.isSymbolicLink()) {
      const kind = found.isFIFO() ? "a named pipe" : "a device";
      throw refusal(path, `${path} is ${kind}, which a build cannot take in`);
    }
    const entry = this.#entry(path);
    if (!entry) return;
    this.entries.push(...this.#pending, entry);
    this.#pending = [];
    if (found.isDirectory()) this.list(path, state);
  }

  #read(path: string): Dirent[] {
    try {
      const found = readdirSync(this.#whole(path), { withFileTypes: true });
      return found.sort((a, b) => (a.name < b.name ? -1 : 1));
    } catch (error) {
      throw refusal(path, `cannot list ${path || this.#root}: ${reasonOf(error)}`);
    }
  }

  /** Undefined for what has gone meanwhile. */
  #entry(path: string): ContextEntry | undefined {
    const whole = this.#whole(path);
    try {
      const stat = lstatSync(whole, { bigint: true });
      const common = entryOf(path, stat);
      return stat.isSymbolicLink() ? { ...common, link: readlinkSync(whole) } : common;
    } catch (error) {
      if (path.includes("\ufffd")) {
        throw refusal(path, `the name ${path} is not UTF-8, which the name of a file must be`);
      }
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw refusal(path, `cannot look at ${path}: ${reasonOf(error)}`);
    }
  }

  #whole(path: string): string {
    return path === "" ? this.#root : `${this.#root}/${path}`;
  }
}

/** The facts of a file, by which it is the same as at another time. */
export function entryOf(path: string, stat: BigIntStats): ContextEntry {
  const mode = Number(stat.mode);
  const isFile = (mode & typeBits) === 0o100000;
  const size = isFile ? Number(stat.size) : 0;
  return { path, mode, size, mtime: String(stat.mtimeNs) };
}

/** The end of a build that something in its context prevents: what is wrong, and the remedy. */
export function refusal(path: string, why: string): Exit {
  const remedy =
    path === "" ? "" : `; if the build does without it, write ${path} into .dockerignore`;
  return new Exit(1, `ERROR: failed to build: ${why}${remedy}`);
}
