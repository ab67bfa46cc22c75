import { mkdtemp, rmdir } from "node:fs/promises";
import { join } from "node:path";
import { Scope } from "#base";
import { type Mount, mountAll } from "#kernel";
import { packTree } from "#layer";
import type { ContainerRecord } from "./container-record.ts";
import type { EngineParts } from "./parts.ts";

/** Bytes in the container's own layer, and with those of its image. */
export async function containerSize(
  parts: EngineParts,
  ref: string,
): Promise<{ readonly writable: number; readonly total: number }> {
  const record = parts.store.find(ref);
  const { bytes: writable } = await parts.snapshots.usage(record.id);
  const image = parts.content.findById(record.imageId);
  return { writable, total: writable + (image?.size ?? 0) };
}

/** The root file system as an uncompressed tar, running or not; without what is mounted into it. */
export async function* exportContainer(
  parts: EngineParts,
  ref: string,
): AsyncGenerator<Uint8Array> {
  const record = parts.store.find(ref);
  await using scope = new Scope();
  const target = await mkdtemp(join(parts.paths.runRoot, "export-"));
  scope.defer(() => rmdir(target));
  scope.use(await mountAll([readOnlyRoot(record)], target));
  yield* packTree(target);
}

/**
 * The container's layers as a file system that cannot be written: an overlay whose
 * lower layers are all of them, since the upper one may be in use by the container.
 */
function readOnlyRoot({ root }: ContainerRecord): Mount {
  const value = (key: string) =>
    root.options
      .filter((each) => each.startsWith(`${key}=`))
      .map((each) => each.slice(key.length + 1));
  const lower = [...value("upperdir"), ...value("lowerdir+")];
  if (lower.length === 1) {
    return { type: "bind", source: lower[0] ?? "", options: ["bind", "ro"] };
  }
  return {
    type: "overlay",
    source: "overlay",
    options: ["ro", ...lower.map((path) => `lowerdir+=${path}`)],
  };
}
