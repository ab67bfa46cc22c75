import { defined } from "#base";
import type { StoredImage } from "#content";
import type { Images } from "./image-contract.ts";

/** The history of an image as `docker history` lists it: the newest step first, each with the size of the layer it made. */
export function imageHistory(image: StoredImage): Awaited<ReturnType<Images["history"]>> {
  let layer = 0;
  const steps = historyOf(image).map((entry) => ({
    id: "<missing>" as const,
    created: secondsOf(entry.created),
    createdBy: entry.created_by ?? "",
    tags: [],
    size: entry.empty_layer ? 0 : (image.layers[layer++]?.size ?? 0),
    comment: entry.comment ?? "",
  }));
  const newest = steps.at(-1);
  if (!newest) return [];
  return [{ ...newest, id: image.id, tags: image.tags }, ...steps.slice(0, -1).toReversed()];
}

/** An image may have no history at all; its layers then stand for themselves. */
function historyOf({ config, layers }: StoredImage): NonNullable<StoredImage["config"]["history"]> {
  if (config.history && config.history.length > 0) return config.history;
  return layers.map(() => defined({ created: config.created }));
}

function secondsOf(text: string | undefined): number {
  const time = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(time) ? 0 : Math.floor(time / 1000);
}
