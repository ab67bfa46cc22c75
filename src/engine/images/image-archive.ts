import { createReadStream } from "node:fs";
import { readlink } from "node:fs/promises";
import { posix } from "node:path";
import { Fault, isFault, Scope } from "#base";
import {
  type Fd,
  fstatat,
  O_NOFOLLOW,
  O_PATH,
  openat2,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  readlinkat,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  type Stat,
} from "#kernel";
import { packTree } from "#layer";
import { TarWriter, textToName } from "#tar";
import type { Parts } from "../parts.ts";
import type { ArchiveRequest, ImageArchive } from "./image-contract.ts";
import { type MountedLayers, mountLayers } from "./image-mount.ts";

const maxPath = 4096;

type ImageParts = Parts<"paths" | "snapshots" | "content">;

/**
 * Files of an image, out of a read-only view of its layers. Links lead within the
 * image: the kernel resolves the path with the view as the root.
 */
export async function imageArchive(
  parts: ImageParts,
  ref: string,
  { path, follow, signal }: ArchiveRequest,
): Promise<ImageArchive> {
  if (path.includes("\0") || Buffer.byteLength(path) > maxPath) {
    throw new Fault("invalid", `the path in the image is not a path, or too long`, { about: path });
  }
  await using scope = new Scope();
  const mounted = await mountImage(parts, ref, scope);
  const file = scope.use(openInside(mounted.root, path, { follow, ref }));
  const stat = fstatat(file, "", false);
  const kind = stat.mode & S_IFMT;
  const linkTarget = kind === S_IFLNK ? readlinkat(file, "") : "";
  const name = posix.basename(posix.normalize(path)) || "/";
  // Without any link, and nothing in the view can change: the path is the file's from here on.
  const place = await readlink(`/proc/self/fd/${file.number}`);
  const held = scope.release();
  const about = { name, stat, linkTarget, place };
  return {
    name,
    size: kind === S_IFREG ? stat.size : 0,
    mode: stat.mode,
    mtime: stat.mtime,
    linkTarget,
    tar: pack(about, signal),
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}

/** All files of an image, in a read-only view of its layers. */
export async function imageFiles(parts: ImageParts, ref: string) {
  await using scope = new Scope();
  const { path } = await mountImage(parts, ref, scope);
  const held = scope.release();
  return { directory: path, [Symbol.asyncDispose]: () => held.disposeAsync() };
}

/** The layers stay for as long as the scope. */
async function mountImage(parts: ImageParts, ref: string, scope: Scope): Promise<MountedLayers> {
  const image = parts.content.resolve(ref);
  const lease = scope.use(parts.content.lease());
  for (const { chainId } of image.layers) lease.holdLayer(chainId);
  const layers = image.chainId === undefined ? [] : parts.snapshots.layers(image.chainId);
  return scope.use(await mountLayers(parts, layers));
}

function openInside(
  root: Fd,
  path: string,
  { follow, ref }: { readonly follow: boolean; readonly ref: string },
): Fd {
  // A slash at the end asks for the directory that a link leads to, as everywhere.
  const isDirectory = /\/\.?$/.test(path);
  try {
    return openat2(root, path === "" ? "/" : path, {
      flags: O_PATH | (follow || isDirectory ? 0 : O_NOFOLLOW),
      resolve: RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
    });
  } catch (cause) {
    const isAbsent = isFault(cause) && /^(ENOENT|ENOTDIR|ELOOP)$/.test(cause.errno ?? "");
    if (!isAbsent) throw cause;
    throw new Fault("not_found", `Could not find the file ${path} in image ${ref}`, {
      about: path,
      cause,
    });
  }
}

async function* pack(
  file: {
    readonly name: string;
    readonly stat: Stat;
    readonly linkTarget: string;
    readonly place: string;
  },
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void> {
  const kind = file.stat.mode & S_IFMT;
  if (kind === S_IFDIR) {
    yield* packTree(file.place, { includeRoot: true, signal });
    return;
  }
  const isLink = kind === S_IFLNK;
  if (!isLink && kind !== S_IFREG) {
    throw new Fault("unsupported", `${file.name} is neither file, directory nor link`, {
      about: file.name,
    });
  }
  let pending: Uint8Array[] = [];
  const writer = new TarWriter((bytes) => pending.push(bytes));
  const { size, mode, uid, gid, mtime } = file.stat;
  writer.entry({
    name: textToName(file.name),
    type: isLink ? "symlink" : "file",
    linkName: isLink ? textToName(file.linkTarget) : "",
    mode: mode & 0o7777,
    size: isLink ? 0 : size,
    uid,
    gid,
    mtime,
  });
  if (!isLink && size > 0) {
    for await (const bytes of createReadStream(file.place, { highWaterMark: 256 << 10, signal })) {
      writer.data(bytes as Uint8Array);
      yield* pending.splice(0);
    }
  }
  writer.finish();
  yield* pending;
  pending = [];
}
