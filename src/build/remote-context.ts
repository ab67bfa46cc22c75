import { createReadStream, readlinkSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { Fault, Scope } from "#base";
import { isGitSource, isHttpSource } from "#dockerfile";
import {
  descriptorPath,
  O_DIRECTORY,
  O_PATH,
  openat2,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
} from "#kernel";
import { isCompressed } from "#layer";
import type { ArchiveContexts } from "./archive-contexts.ts";
import { readContextFile } from "./context-files.ts";
import type { BuildContext, RemoteContext } from "./contract.ts";
import { parseGitSource } from "./plan-copy.ts";
import type { BuildRemotes, RemoteSources } from "./remote-sources.ts";

interface RemoteParts {
  readonly remotes: RemoteSources;
  readonly archives: ArchiveContexts;
}

/** As BuildKit calls it. */
const fileName = "context";

/** The files of a git repository or of a tar on the web, as a context, or a Dockerfile from there without any. */
export async function openRemoteContext(
  parts: RemoteParts,
  url: string,
  signal: AbortSignal,
): Promise<RemoteContext> {
  const { context, isFile } = await fetchContext(parts, url, signal);
  if (!isFile) return { context };
  await using file = context;
  return { dockerfile: readContextFile(file, fileName)?.toString() ?? "" };
}

/** As `openRemoteContext` for a context with a name, in which any other file has the name "context". */
export async function openRemoteFiles(
  parts: RemoteParts,
  url: string,
  signal: AbortSignal,
): Promise<BuildContext> {
  return (await fetchContext(parts, url, signal)).context;
}

/** `invalid` for what is no URL of a repository or of the web. */
async function fetchContext(
  { remotes, archives }: RemoteParts,
  url: string,
  signal: AbortSignal,
): Promise<{ readonly context: BuildContext; readonly isFile: boolean }> {
  if (!isGitSource(url) && !isHttpSource(url)) {
    throw new Fault("invalid", `remoteURL (${url}) could not be recognized as URL`, { about: url });
  }
  await using scope = new Scope();
  const opened = scope.use(remotes.open(signal));
  const kept = (directory: string): BuildContext => {
    const held = scope.release();
    return { directory, [Symbol.asyncDispose]: () => held.disposeAsync() };
  };
  if (isGitSource(url)) return { context: kept(await repository(opened, url)), isFile: false };
  const from = { kind: "remote", url, fileName } as const;
  const { directory } = await opened.filesOf({ kind: "remote", from, unpacks: false });
  const path = join(directory, fileName);
  if (await isArchive(path)) {
    return { context: await archives.fromArchive(createReadStream(path)), isFile: false };
  }
  return { context: kept(directory), isFile: true };
}

/** The directory of a repository that the URL names, links followed within the repository. */
async function repository(opened: BuildRemotes, url: string): Promise<string> {
  const from = { ...parseGitSource(url), keepsGitDirectory: false };
  const { directory, path } = await opened.filesOf({ kind: "git", from });
  using root = openat2(undefined, directory, { flags: O_PATH | O_DIRECTORY });
  using found = openat2(root, path, {
    flags: O_PATH | O_DIRECTORY,
    resolve: RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
  });
  return readlinkSync(descriptorPath(found));
}

/** By its first bytes: compressed, or a tar of POSIX. */
async function isArchive(path: string): Promise<boolean> {
  await using file = await open(path);
  const head = Buffer.alloc(512);
  const { bytesRead } = await file.read(head, 0, head.length, 0);
  const magic = head.subarray(257, 262).toString("latin1");
  return magic === "ustar" || isCompressed(head.subarray(0, bytesRead));
}
