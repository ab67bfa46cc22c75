import { rm } from "node:fs/promises";
import { join } from "node:path";
import { packTree } from "#layer";
import { mountLayers } from "../images/image-mount.ts";
import type { Parts } from "../parts.ts";
import { publishContainer } from "./container-event.ts";
import type { ContainerRecord } from "./container-record.ts";

/** Bytes in the container's own layer, and with those of its image: lengths of files, as Docker counts them. */
export async function containerSize(
  parts: Parts<"snapshots" | "content" | "store">,
  ref: string,
): Promise<{ readonly writable: number; readonly total: number }> {
  const record = parts.store.find(ref);
  const { length: writable } = await parts.snapshots.usage(record.id);
  const image = parts.content.findById(record.imageId);
  return { writable, total: writable + (image?.size ?? 0) };
}

/**
 * The root file system as an uncompressed tar, running or not; without the file systems that are
 * mounted into it.
 */
export async function* exportContainer(
  parts: Parts<"paths" | "snapshots" | "store" | "events">,
  ref: string,
): AsyncGenerator<Uint8Array> {
  const record = parts.store.find(ref);
  await using mounted = await mountLayers(parts, parts.snapshots.layers(record.id));
  publishContainer(parts, record, "export");
  yield* packTree(mounted.path);
}

/**
 * Lets a volatile root be mounted once more. Overlayfs refuses that by leaving a
 * directory, in case the machine went down since; it has not, or the container
 * would have been removed (Documentation/filesystems/overlayfs.rst, "Volatile mount").
 */
export async function allowRemount({ root, state }: ContainerRecord): Promise<void> {
  if (state.startedAt === 0n && state.error === "") return;
  if (!root.options.includes("volatile")) return;
  const work = root.options.find((option) => option.startsWith("workdir="));
  if (!work) return;
  const mark = join(work.slice("workdir=".length), "work/incompat/volatile");
  await rm(mark, { recursive: true, force: true });
}
