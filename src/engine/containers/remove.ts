import { existsSync, renameSync } from "node:fs";
import { rm } from "node:fs/promises";
import { type ContainerId, Fault } from "#base";
import { crashPoint } from "../crash-point.ts";
import type { Parts } from "../parts.ts";
import { publishContainer } from "./container-event.ts";
import { dropImages, placedImages } from "./container-images.ts";
import { goesOn, isUp } from "./container-record.ts";
import { ownVolumes, releaseVolumes, removeAbandoned } from "./container-volumes.ts";
import { endDebug, requireUndebugged } from "./debug-session.ts";
import { cancelRestart, killAndWait } from "./kill.ts";

/** The parts that a removal touches: all in which a container leaves a trace. */
export type RemoveParts = Parts<
  | "paths"
  | "snapshots"
  | "volumes"
  | "content"
  | "store"
  | "sandboxes"
  | "events"
  | "metrics"
  | "waits"
  | "locks"
  | "live"
  | "execs"
  | "debugging"
  | "pendingAttaches"
  | "removing"
  | "restarts"
  | "background"
  | "logCompression"
  | "logShipping"
  | "health"
>;

/**
 * Removes a container with all that it owns. The row goes first: from then on the container is
 * gone, and the next start sweeps what a crash leaves on disk. `force` kills one that runs.
 */
export async function removeContainer(
  parts: RemoveParts,
  ref: string,
  options: { readonly force: boolean; readonly volumes: boolean },
): Promise<void> {
  const { id, name } = parts.store.find(ref);
  if (parts.removing.has(id)) {
    throw new Fault("conflict", `removal of container ${ref} is already in progress`, {
      about: name,
    });
  }
  parts.removing.add(id);
  try {
    await parts.metrics.timed("delete", async () => {
      if (options.force) await killRunning(parts, id);
      await parts.locks.run(id, () => removeStopped(parts, id, options.volumes));
    });
  } finally {
    parts.removing.delete(id);
  }
}

/** A start that is under way is waited for, since it cannot be undone half-way. */
async function killRunning(
  parts: Parts<"store" | "events" | "locks" | "live" | "waits" | "restarts" | "debugging">,
  id: ContainerId,
): Promise<void> {
  await parts.locks.run(id, async () => undefined);
  await endDebug(parts, id);
  cancelRestart(parts, id);
  const live = parts.live.get(id);
  if (live && isUp(parts.store.get(id)?.state)) await killAndWait(parts, live);
}

async function removeStopped(
  parts: Parts<
    | "paths"
    | "snapshots"
    | "volumes"
    | "content"
    | "store"
    | "sandboxes"
    | "events"
    | "waits"
    | "execs"
    | "debugging"
    | "pendingAttaches"
    | "background"
    | "logCompression"
    | "logShipping"
    | "health"
  >,
  id: ContainerId,
  withVolumes: boolean,
): Promise<void> {
  const record = parts.store.find(id);
  if (goesOn(record.state)) {
    const { status } = record.state;
    const why =
      status === "paused"
        ? "container is paused and must be unpaused first"
        : `container is ${status}: stop the container before removing or force remove`;
    throw new Fault("conflict", `cannot remove container "/${record.name}": ${why}`, {
      about: record.name,
    });
  }
  requireUndebugged(parts, record, "cannot be removed");
  const volumes = withVolumes ? ownVolumes(parts, record) : [];
  parts.store.delete(id, () => parts.volumes.abandon(volumes));
  parts.sandboxes.forget(id);
  parts.health.forget(id);
  crashPoint("remove:row-deleted");
  parts.pendingAttaches.end(id);
  await releaseVolumes(parts, record);
  await removeAbandoned(parts, volumes);
  await dropImages(parts, record);
  await parts.snapshots.remove(id);
  await parts.logCompression.stop(id);
  await parts.logShipping.release(id);
  const removed = setAside(parts.paths.container(id));
  crashPoint("remove:snapshot-removed");
  for (const [execId, exec] of parts.execs) {
    if (exec.containerId === id) parts.execs.delete(execId);
  }
  const images = [record.imageId, ...placedImages(record).map((image) => image.id)];
  if (!images.every((image) => parts.content.images.has(image))) {
    void parts.background.run("collecting the layers of an image that is gone", () =>
      parts.content.collect(),
    );
  }
  try {
    await rm(removed, { recursive: true, force: true });
  } finally {
    // Just before the answer: clients of before API 1.25, which remove containers themselves, leave
    // on seeing this and take a removal without an answer for a failed one.
    publishContainer(parts, record, "destroy");
    // Without the error of a failed start: its caller has it already, and clients would show it twice.
    parts.waits.removed(id, { exitCode: record.state.exitCode });
  }
}

/**
 * Gone under its name at once; the deletion of a long log takes a while, and the next start
 * finishes it after a crash.
 */
function setAside(directory: string): string {
  const removed = `${directory}.removed`;
  if (existsSync(directory)) renameSync(directory, removed);
  return removed;
}
