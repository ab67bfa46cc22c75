import { mkdtemp, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { Scope } from "#base";
import { type Fd, type Mount, mountAll, O_DIRECTORY, O_PATH, openat2 } from "#kernel";
import type { Parts } from "../parts.ts";

/** A stack of layers that can be looked at, and nothing else. */
export interface MountedLayers extends AsyncDisposable {
  /** Where it is, in this process's mount namespace. */
  readonly path: string;
  readonly root: Fd;
}

/** Mounts directories of layers, uppermost first, read-only, without devices and programs. */
export async function mountLayers(
  parts: Parts<"paths">,
  layers: readonly string[],
): Promise<MountedLayers> {
  return await mountForUs(parts, layers.length > 0 ? [readOnlyRoot(layers)] : []);
}

/** Makes mounts where nobody but the engine looks; the uppermost is the root. */
export async function mountForUs(
  parts: Parts<"paths">,
  mounts: readonly Mount[],
): Promise<MountedLayers> {
  await using scope = new Scope();
  const path = await makeMountPoint(parts, scope);
  if (mounts.length > 0) scope.use(await mountAll(mounts, path));
  const root = scope.use(openat2(undefined, path, { flags: O_PATH | O_DIRECTORY }));
  const opened = scope.release();
  return { path, root, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

/** A directory for a mount that is no container's; it goes with the scope, and with a crash. */
export async function makeMountPoint(parts: Parts<"paths">, scope: Scope): Promise<string> {
  const path = await mkdtemp(join(parts.paths.runViews, "view-"));
  scope.defer(() => rmdir(path));
  return path;
}

/**
 * Layers as a file system that cannot be written: an overlay whose lower layers are all
 * of them, since the upper one may be in use by a container.
 */
function readOnlyRoot(layers: readonly string[]): Mount {
  const [only = ""] = layers;
  // A container may put a device in a file's place while that is read.
  const guarded = ["ro", "nosuid", "nodev", "noexec"];
  if (layers.length === 1) return { type: "bind", source: only, options: ["bind", ...guarded] };
  return {
    type: "overlay",
    source: "overlay",
    options: [...guarded, ...layers.map((path) => `lowerdir+=${path}`), "redirect_dir=nofollow"],
  };
}
