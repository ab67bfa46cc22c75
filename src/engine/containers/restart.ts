import { isFault } from "#base";
import { publishContainer } from "./container-event.ts";
import { type StopOptions, stopContainer } from "./kill.ts";
import { type StartParts, startContainer } from "./start.ts";

/** Stops a container if it runs, and starts it; `--rm` does not remove it in between. */
export async function restartContainer(
  parts: StartParts,
  ref: string,
  options: StopOptions,
): Promise<void> {
  const { id } = parts.store.find(ref);
  parts.restarting.add(id);
  try {
    try {
      await stopContainer(parts, id, options);
    } catch (error) {
      if (!isFault(error, "not_modified")) throw error;
    }
    await parts.live.get(id)?.settled;
  } finally {
    parts.restarting.delete(id);
  }
  await parts.metrics.timed("start", () => startContainer(parts, id));
  publishContainer(parts, parts.store.find(id), "restart");
}
