import { Scope } from "#base";
import type { VolumeSource } from "#volume";
import { usersOf } from "../containers/container-volumes.ts";
import { holdStill } from "../containers/pause.ts";
import type { Parts } from "../parts.ts";
import type { CopyWatch, SnapshotRequest, SnapshotResult } from "./volume-contract.ts";
import { publishVolume } from "./volume-event.ts";

type SnapshotParts = Parts<"volumes" | "store" | "events" | "live">;

/** "data", or "data@monday" for its snapshot of that tag; names of volumes have no "@". */
export function parseSource(text: string): VolumeSource {
  const at = text.indexOf("@");
  return at < 0 ? { name: text } : { name: text.slice(0, at), snapshot: text.slice(at + 1) };
}

/**
 * A snapshot of a volume. Containers that run with it stand still while its files are read (the
 * freezer of their cgroups): a freeze of the file system would keep the snapshot from being written.
 */
export async function snapshotVolume(
  parts: SnapshotParts,
  name: string,
  { tag, pause, ...watch }: SnapshotRequest,
): Promise<SnapshotResult> {
  const users = usersOf(parts, name).filter((id) => parts.live.has(id));
  let paused = 0;
  const holding = async (copy: () => Promise<number>) => {
    const begun = performance.now();
    try {
      await using scope = new Scope();
      if (pause) await Promise.all(users.map((id) => holdStill(parts, id, scope)));
      return await copy();
    } finally {
      paused = performance.now() - begun;
    }
  };
  const { snapshot, copied } = await parts.volumes.copies.snapshot(name, {
    ...{ ...watch, tag, holding },
  });
  publishVolume(parts, "snapshot", name, { tag: snapshot.tag });
  const names = users.map((id) => parts.store.get(id)?.name ?? id);
  const torn = `${names.join(", ")} went on meanwhile: files that changed may be torn`;
  return {
    snapshot,
    copied,
    paused: pause && users.length > 0 ? { containers: names, milliseconds: paused } : undefined,
    warnings: !pause && users.length > 0 ? [torn] : [],
  };
}

/** Gives a volume the files of one of its snapshots. */
export async function rollBackVolume(
  parts: SnapshotParts,
  name: string,
  tag: string,
  watch?: CopyWatch,
): Promise<{ readonly copied: number }> {
  const result = await parts.volumes.copies.rollback(name, tag, watch);
  publishVolume(parts, "rollback", name, { tag });
  return result;
}
