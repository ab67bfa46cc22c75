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

const fileName = "remote";

/**
 * The files of a git repository or of a tar on the web, as a context, or a Dockerfile from there
 * without any. `invalid` for what is neither.
 */
export async function openRemoteContext(
  { remotes, archives }: RemoteParts,
  url: string,
  signal: AbortSignal,
): Promise<RemoteContext> {
  if (!isGitSource(url) && !isHttpSource(url)) {
    throw new Fault("invalid", `remoteURL (${url}) could not be recognized as URL`, { about: url });
  }
  await using scope = new Scope();
  const opened = scope.use(remotes.open(signal));
  if (isGitSource(url)) {
    const directory = await repository(opened, url);
    const held = scope.release();
    return { context: { directory, [Symbol.asyncDispose]: () => held.disposeAsync() } };
  }
  const from = { kind: "remote", url, fileName } as const;
  const { directory } = await opened.filesOf({ kind: "remote", from, unpacks: false });
  const path = join(directory, fileName);
  if (await isArchive(path)) {
    return { context: await archives.fromArchive(createReadStream(path)) };
  }
  const file: BuildContext = { directory, [Symbol.asyncDispose]: async () => undefined };
  return { dockerfile: readContextFile(file, fileName)?.toString() ?? "" };
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
