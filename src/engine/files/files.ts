import { Fault, isFault, Scope } from "#base";
import { bindsOf, cleanTarget, type PlacedMount } from "#container";
import { descriptorPath, type Fd, fstatat, S_IFDIR, S_IFMT } from "#kernel";
import { packTree, unpackTree } from "#layer";
import { textToName } from "#tar";
import { publishContainer } from "../containers/container-event.ts";
import type { ContainerRecord } from "../containers/container-record.ts";
import { lookupUser } from "../containers/user-lookup.ts";
import type { Parts } from "../parts.ts";
import { cleanPath, openInView, pathInView, statInView } from "./container-path.ts";
import { openView, type ViewParts } from "./container-view.ts";
import type { EngineFiles, OpenedFiles, PathStat, PutRequest } from "./file-contract.ts";

type FileParts = ViewParts & Parts<"events">;

/** Copies in and out of containers. */
export function createFiles(parts: FileParts): EngineFiles {
  return {
    stat: (ref, path) => statFile(parts, ref, path),
    open: (ref, path) => openFiles(parts, ref, path),
    put: (ref, path, request) => putArchive(parts, { ...request, ref, path }),
  };
}

async function statFile(parts: FileParts, ref: string, path: string): Promise<PathStat> {
  await using view = await openView(parts, ref);
  const cleaned = cleanPath(path);
  using file = openInView(view.root, cleaned, { follow: false });
  return statInView(view.root, cleaned, file);
}

async function openFiles(parts: FileParts, ref: string, path: string): Promise<OpenedFiles> {
  await using scope = new Scope();
  const view = scope.use(await openView(parts, ref));
  const cleaned = cleanPath(path);
  // What is packed is what was looked at, whatever comes under its name meanwhile.
  const file = scope.use(openInView(view.root, cleaned, { follow: false }));
  const stat = statInView(view.root, cleaned, file);
  publishContainer(parts, view.record, "archive-path");
  const owned = scope.release();
  return {
    stat,
    archive: ({ holes }) =>
      packTree(descriptorPath(file), {
        as: textToName(stat.name),
        includeRoot: true,
        mounts: true,
        ...(holes && { exact: true }),
      }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function putArchive(
  parts: FileParts,
  request: PutRequest & { readonly ref: string; readonly path: string },
): Promise<void> {
  const { ref, path, archive, keepsKinds, signal } = request;
  await using view = await openView(parts, ref);
  const { record } = view;
  using directory = openInView(view.root, cleanPath(path), { follow: true });
  checkWritable(record, directory);
  const owner = request.toUser ? await userOf(parts, record) : undefined;
  try {
    const rules = { keepsRoot: true, keepsKinds, owner, signal };
    await unpackTree({ stream: archive }, descriptorPath(directory), rules);
  } catch (error) {
    if (!isFault(error)) throw error;
    throw new Fault(error.code, error.message, {
      ...{ stage: "unpack", cause: error },
      ...(error.errno && { errno: error.errno }),
    });
  }
  publishContainer(parts, record, "extract-to-dir");
}

/** By the deepest mount that the directory is in, else by the root. */
function checkWritable({ host, placed }: ContainerRecord, directory: Fd): void {
  if ((fstatat(directory, "", false).mode & S_IFMT) !== S_IFDIR)
    throw new Fault("invalid", "extraction point is not a directory");
  const path = `${pathInView(directory)}/`;
  const mounts: readonly PlacedMount[] = [...bindsOf(host), ...placed];
  const [around] = mounts
    .map((mount) => ({ mount, target: cleanTarget(mount.target) }))
    .filter(({ target }) => path.startsWith(`${target}/`))
    .sort((a, b) => b.target.length - a.target.length);
  if (around && (around.mount.image !== undefined || around.mount.readonly))
    throw new Fault("invalid", "mounted volume is marked read-only");
  if (!around && host.ReadonlyRootfs)
    throw new Fault("invalid", "container rootfs is marked read-only");
}

async function userOf(parts: FileParts, { id, config }: ContainerRecord) {
  if (config.User === "") return undefined;
  try {
    const { uid, gid } = await lookupUser(parts.snapshots, id, {
      user: config.User,
      groupAdd: [],
    });
    return { uid, gid };
  } catch (error) {
    if (!isFault(error, "invalid")) throw error;
    const why = error.message.replace(/^[^:]*: /, "");
    const message = `failed to look up user "${config.User}" in container: ${why}`;
    throw new Fault("invalid", message, { about: config.User, cause: error });
  }
}
