import { execFile } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "#base";
import type { GitSource } from "./operation.ts";

const commitPattern = /^[0-9a-f]{40}(?:[0-9a-f]{24})?$/;
const maxOutput = 16 << 20;
/** Nothing of the host's settings counts, nobody is asked, and no program is run for a URL or a hook. */
const settings = [
  "protocol.ext.allow=never",
  "protocol.file.allow=never",
  "core.hooksPath=/dev/null",
  "core.fsmonitor=false",
  "credential.helper=",
  "advice.detachedHead=false",
].flatMap((each) => ["-c", each]);

/** The commit that a source means now. `not_found` for a name that the repository does not have. */
export async function commitOf(source: GitSource, signal: AbortSignal): Promise<string> {
  const { url, ref = "HEAD", checksum } = source;
  const commit = commitPattern.test(ref) ? ref : await remoteCommit(source, ref, signal);
  if (checksum !== undefined && !commit.startsWith(checksum)) {
    const what = `expected checksum to match ${checksum}, got ${commit}`;
    throw new Fault("invalid", `${what}, for ${url}`, { about: url });
  }
  return commit;
}

async function remoteCommit({ url }: GitSource, ref: string, signal: AbortSignal): Promise<string> {
  const listed = await git(["ls-remote", "--", url, ref, `${ref}^{}`], { url, signal });
  const lines = listed
    .split("\n")
    .map((line) => line.split("\t"))
    .filter((line): line is [string, string] => line.length === 2);
  // Of a tag with a message the commit is meant; a tag goes before a branch of the same name.
  const names = ["^{}", ""].flatMap((end) => [
    ...[`refs/tags/${ref}${end}`, `refs/heads/${ref}${end}`, `${ref}${end}`],
  ]);
  for (const name of names) {
    const found = lines.find(([, each]) => each === name);
    if (found && commitPattern.test(found[0])) return found[0];
  }
  throw new Fault("not_found", `the repository ${url} has no ${ref}`, { about: url });
}

/** Puts the files of a commit, and of its submodules, into a new directory. */
export async function checkOut(
  source: GitSource,
  { commit, directory, signal }: { commit: string; directory: string; signal: AbortSignal },
): Promise<void> {
  const { url, ref, keepsGitDirectory } = source;
  mkdirSync(directory, { mode: 0o755 });
  const options = { url, signal, directory };
  await git(["init", "--quiet", "."], options);
  await git(["remote", "add", "origin", url], options);
  await fetchCommit({ commit, ref }, options);
  await git(["checkout", "--quiet", "--force", commit], options);
  await git(["submodule", "update", "--quiet", "--init", "--recursive", "--depth=1"], options);
  if (!keepsGitDirectory) rmSync(join(directory, ".git"), { recursive: true, force: true });
}

/** Servers need not give a commit by its name; then the reference, or all, is fetched. */
async function fetchCommit(
  { commit, ref }: { readonly commit: string; readonly ref: string | undefined },
  options: GitOptions,
): Promise<void> {
  const fetch = (...args: string[]) => git(["fetch", "--quiet", "--no-tags", ...args], options);
  try {
    await fetch("--depth=1", "origin", commit);
  } catch (error) {
    if (options.signal.aborted) throw error;
    const isName = ref !== undefined && !commitPattern.test(ref);
    await fetch("origin", isName ? ref : "+refs/*:refs/remotes/origin/*");
  }
}

interface GitOptions {
  readonly url: string;
  readonly signal: AbortSignal;
  readonly directory?: string;
}

/** Runs the host's git; gives its output. `unsupported` where there is none. */
async function git(args: readonly string[], options: GitOptions): Promise<string> {
  const { url, signal, directory } = options;
  const env = {
    PATH: "/usr/local/bin:/usr/bin:/bin",
    LC_ALL: "C",
    HOME: "/nonexistent",
    GIT_TERMINAL_PROMPT: "0",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_PROTOCOL_FROM_USER: "0",
    GIT_SSH_COMMAND: "ssh -o BatchMode=yes",
  };
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const given = { env, signal, maxBuffer: maxOutput, ...(directory && { cwd: directory }) };
  execFile("git", [...settings, ...args], given, (error, stdout, stderr) => {
    if (!error) resolve(stdout);
    else reject(failure(error, { url, stderr, signal }));
  });
  return await promise;
}

function failure(
  error: Error & { readonly code?: unknown },
  { url, stderr, signal }: { url: string; stderr: string; signal: AbortSignal },
): Fault {
  if (signal.aborted) return new Fault("canceled", `fetching ${url} was canceled`);
  if (error.code === "ENOENT") {
    return new Fault(
      "unsupported",
      `the files of ${url} need git, which this host does not have; install it`,
      { about: url },
    );
  }
  const [why = error.message] = stderr.trim().split("\n").slice(-1);
  return new Fault("unavailable", `failed to fetch remote ${url}: ${why}`, { about: url });
}
