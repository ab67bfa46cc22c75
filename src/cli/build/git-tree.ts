import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { Fault } from "#base";
import type { ContextEntry } from "#wire";

const typeBits = 0o170000;
const directoryType = 0o040000;
const fileType = 0o100000;
const submoduleType = 0o160000;

/**
 * When the commit was made that is checked out at a directory, in seconds since 1970: files of a
 * fresh clone have the time of the clone, which no other clone has. Undefined outside of git's working
 * trees, before the first commit, and where git is missing or does not trust the directory's owner.
 */
export async function commitTime(directory: string): Promise<number | undefined> {
  if (!isInWorkingTree(resolve(directory))) return undefined;
  // Prints the commit as it is stored; nothing that the repository configures is run.
  const commit = await git(directory, ["cat-file", "commit", "HEAD"]).catch(() => "");
  const time = /^committer .* (\d{1,11}) [+-]\d{4}$/m.exec(commit)?.[1];
  return time === undefined ? undefined : Number(time);
}

/**
 * Asks git which files of a directory it tracks, those of submodules too; undefined outside of its
 * working trees. `unavailable` where git is missing, or does not trust the directory's owner.
 */
export async function trackedModes(directory: string): Promise<TrackedModes | undefined> {
  if (!isInWorkingTree(resolve(directory))) return undefined;
  const modes = new TrackedModes();
  await modes.add(directory, "");
  return modes;
}

/** The modes that git has for files of a directory; no umask changes them. */
export class TrackedModes {
  /** By path: whether the file may be executed; undefined where its own bit says so. */
  readonly #files = new Map<string, boolean | undefined>();
  readonly #directories = new Set<string>();

  /** Adds the files of a repository, whose paths begin with `below`: "" or a directory and a slash. */
  async add(top: string, below: string): Promise<void> {
    const at = join(top, below);
    const [listed, setting] = await Promise.all([
      git(at, ["ls-files", "--stage", "-z"]),
      git(at, ["config", "--type=bool", "--default=true", "core.fileMode"]),
    ]);
    const isRead = setting.trim() !== "false";
    const submodules: string[] = [];
    for (const record of listed.split("\0")) {
      const tab = record.indexOf("\t");
      if (tab < 0) continue;
      const mode = Number.parseInt(record.slice(0, tab), 8);
      const path = below + record.slice(tab + 1);
      this.#addParents(path);
      if ((mode & typeBits) !== submoduleType) {
        this.#files.set(path, isRead ? undefined : (mode & 0o100) !== 0);
        continue;
      }
      this.#directories.add(path);
      if (existsSync(join(top, path, ".git"))) submodules.push(`${path}/`);
    }
    for (const each of submodules) await this.add(top, each);
  }

  /** An entry as every clone has it: 0644 or 0755, as its bit for its owner says; one that is not tracked as it is. */
  shared(entry: ContextEntry): ContextEntry {
    const { path, mode } = entry;
    const type = mode & typeBits;
    if (type === directoryType && this.#directories.has(path)) {
      return { ...entry, mode: type | 0o755 };
    }
    if (type !== fileType || !this.#files.has(path)) return entry;
    const isExecutable = this.#files.get(path) ?? (mode & 0o100) !== 0;
    return { ...entry, mode: type | (isExecutable ? 0o755 : 0o644) };
  }

  #addParents(path: string): void {
    for (let end = path.lastIndexOf("/"); end > 0; end = path.lastIndexOf("/", end - 1)) {
      const directory = path.slice(0, end);
      if (this.#directories.has(directory)) return;
      this.#directories.add(directory);
    }
  }
}

function isInWorkingTree(directory: string): boolean {
  for (let at = directory; ; at = dirname(at)) {
    if (existsSync(join(at, ".git"))) return true;
    if (at === dirname(at)) return false;
  }
}

/** Bytes: the index of a million files. */
const maxOutput = 256 << 20;
const maxTime = 30_000;
/** A hook of git's has them set, for its own repository. */
const ofHooks = new Set(
  "GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_PREFIX GIT_COMMON_DIR GIT_OBJECT_DIRECTORY".split(" "),
);

/** What git prints of a directory's repository; nothing that it configures is run. */
function git(directory: string, args: readonly string[]): Promise<string> {
  const { promise, resolve: settle, reject } = Promise.withResolvers<string>();
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !ofHooks.has(name)),
  );
  const words = ["-C", directory, "-c", "core.fsmonitor=false", ...args];
  const options = { env, timeout: maxTime, maxBuffer: maxOutput };
  execFile("git", words, options, (error, text, told) => {
    if (!error) settle(text);
    else {
      const isMissing = (error as { readonly code?: unknown }).code === "ENOENT";
      const [line = ""] = told.trim().split("\n");
      const why = isMissing ? "git is not installed" : line || error.message;
      reject(new Fault("unavailable", why, { about: directory, cause: error }));
    }
  });
  return promise;
}
