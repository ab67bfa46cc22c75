import { Fault, isFault, StepBudget } from "#base";
import {
  type Fd,
  fstatat,
  O_NOFOLLOW,
  O_PATH,
  openat2,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  readlinkatBytes,
  S_IFLNK,
  S_IFMT,
  type Stat,
} from "#kernel";
import { pathOf } from "./whiteout.ts";

/**
 * The path from a root at which a path really is, all symbolic links followed within the root, the
 * last one too. What is missing stays as it is written, as Go's fs.RootPath has it: nothing is below
 * it. Components joined by "/", one character a byte; "" is the root. Nothing is opened for more than
 * a look, and a name that is put there meanwhile is followed no further than the root.
 */
export function resolveInRoot(root: Fd, path: string): string {
  const budget = new StepBudget();
  let done: string[] = [];
  const left = path.split("/").reverse();
  for (let part = left.pop(); part !== undefined; part = left.pop()) {
    if (!budget.take()) {
      throw new Fault("invalid", `too many symbolic links are on the way to ${path}`);
    }
    if (part === "" || part === ".") continue;
    if (part === "..") {
      done.pop();
      continue;
    }
    done.push(part);
    const target = linkAt(root, done.join("/"));
    if (target === undefined) continue;
    done.pop();
    if (target.startsWith("/")) done = [];
    left.push(...target.split("/").reverse());
  }
  return done.join("/");
}

/** What a path is, its last part not followed; undefined when it is missing. */
export function statInRoot(root: Fd, path: string): Stat | undefined {
  using found = openPlain(root, path);
  return found && fstatat(found, "", false);
}

function openPlain(root: Fd, path: string): Fd | undefined {
  try {
    return openat2(root, path === "" ? "." : pathOf(path), {
      flags: O_PATH | O_NOFOLLOW,
      resolve: RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
    });
  } catch (error) {
    if (isFault(error) && (error.errno === "ENOENT" || error.errno === "ENOTDIR")) return undefined;
    throw error;
  }
}

function linkAt(root: Fd, path: string): string | undefined {
  using found = openPlain(root, path);
  if (!found || (fstatat(found, "", false).mode & S_IFMT) !== S_IFLNK) return undefined;
  return readlinkatBytes(found, "").toString("latin1");
}
