import { type ContainerId, Fault, isFault, type Scope } from "#base";
import { crashPoint } from "../crash-point.ts";
import type { Parts } from "../parts.ts";
import { publishContainer } from "./container-event.ts";
import { requireUp } from "./live-container.ts";

type PauseParts = Parts<"store" | "events" | "live" | "locks">;

/**
 * Stops all processes of a container where they are. `conflict` for one that does not run or is
 * paused. The row is written first: after a crash the next engine makes the processes agree with it.
 */
export async function pauseContainer(parts: PauseParts, ref: string): Promise<void> {
  const { id } = parts.store.find(ref);
  await parts.locks.run(id, async () => {
    const record = parts.store.find(id);
    const { task } = requireUp(parts, record);
    if (record.state.status === "paused")
      throw new Fault("conflict", `Container ${id} is already paused`, { about: record.name });
    const paused = parts.store.update(id, { state: { ...record.state, status: "paused" } });
    crashPoint("pause:recorded");
    try {
      await task.freeze(true);
    } catch (error) {
      resumed(parts, id);
      throw error;
    }
    publishContainer(parts, paused, "pause");
  });
}

/** Lets a paused container go on; `internal`, as in Docker, for one that is not paused. */
export async function unpauseContainer(parts: PauseParts, ref: string): Promise<void> {
  const { id } = parts.store.find(ref);
  await parts.locks.run(id, () => resume(parts, id));
}

async function resume(parts: PauseParts, id: ContainerId): Promise<void> {
  const record = parts.store.find(id);
  if (record.state.status !== "paused")
    throw new Fault("internal", `Container ${id} is not paused`, { about: record.name });
  const { task } = requireUp(parts, record);
  await task.freeze(false);
  crashPoint("unpause:thawed");
  if (resumed(parts, id)) publishContainer(parts, record, "unpause");
}

/** Lets one that is paused go on, so that a signal reaches it. */
export async function resumeForSignal(
  parts: Parts<"store" | "events" | "live">,
  id: ContainerId,
): Promise<void> {
  const live = parts.live.get(id);
  const record = parts.store.get(id);
  if (!live || record?.state.status !== "paused") return;
  await live.task.freeze(false);
  if (resumed(parts, id)) publishContainer(parts, record, "unpause");
}

/** Whether it was paused until now; it may have ended meanwhile. */
function resumed(parts: Parts<"store">, id: ContainerId): boolean {
  const state = parts.store.get(id)?.state;
  if (state?.status !== "paused") return false;
  parts.store.note(id, { state: { ...state, status: "running" } });
  return true;
}

/**
 * Stops a container that runs where it is until the scope ends; one that is paused stays so, and
 * one that ends meanwhile needs nothing.
 */
export async function holdStill(
  parts: Parts<"store" | "live">,
  id: ContainerId,
  scope: Scope,
): Promise<void> {
  const live = parts.live.get(id);
  if (!live || parts.store.get(id)?.state.status !== "running") return;
  await live.task.freeze(true);
  scope.defer(async () => {
    if (parts.store.get(id)?.state.status === "paused") return;
    try {
      await live.task.freeze(false);
    } catch (error) {
      if (!isFault(error, "not_found")) throw error;
    }
  });
}
