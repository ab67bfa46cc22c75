import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

/**
 * When the commit was made that is checked out at a directory, in seconds since 1970: files of a
 * fresh clone have the time of the clone, which no other clone has. Undefined outside of git's working
 * trees, and where git is missing or does not trust the directory's owner.
 */
export async function commitTime(directory: string): Promise<number | undefined> {
  if (!isInWorkingTree(resolve(directory))) return undefined;
  // Prints the commit as it is stored; nothing that the repository configures is run.
  const commit = await output("git", ["-C", directory, "cat-file", "commit", "HEAD"]);
  const time = /^committer .* (\d{1,11}) [+-]\d{4}$/m.exec(commit)?.[1];
  return time === undefined ? undefined : Number(time);
}

function isInWorkingTree(directory: string): boolean {
  for (let at = directory; ; at = dirname(at)) {
    if (existsSync(join(at, ".git"))) return true;
    if (at === dirname(at)) return false;
  }
}

/** What a program prints; "" when it fails. */
function output(program: string, args: readonly string[]): Promise<string> {
  const { promise, resolve: settle } = Promise.withResolvers<string>();
  execFile(program, args, { timeout: 5_000, maxBuffer: 1 << 20 }, (error, text) =>
    settle(error ? "" : text),
  );
  return promise;
}
