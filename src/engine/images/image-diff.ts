import type { StoredImage } from "#content";
import type { Parts } from "../parts.ts";
import type { ComparedImage, ImageComparison } from "./explain-contract.ts";
import { analysed, directoriesOf, holdImage, weightOf } from "./explain-subject.ts";

/** How the files, packages and settings of one image differ from those of another. */
export async function compareImages(
  parts: Parts<"snapshots" | "content">,
  request: { readonly from: string; readonly to: string; readonly limit: number },
  signal: AbortSignal,
): Promise<ImageComparison> {
  await using lease = parts.content.lease();
  const from = holdImage(parts, lease, request.from);
  const to = holdImage(parts, lease, request.to);
  const shared = sharedLayers(from, to);
  const { compareConfigs, compareLayers } = await import("#explain");
  const [before, after] = [directoriesOf(parts, from), directoriesOf(parts, to)];
  const { limit } = request;
  const files = await compareLayers({ from: before, to: after, shared, limit }, signal);
  return {
    from: described(from),
    to: described(to),
    sharedLayers: shared,
    config: compareConfigs(from.config, to.config),
    ...files,
  };
}

function described(image: StoredImage): ComparedImage {
  return { ...analysed(image), ...weightOf(image) };
}

/** A chain id stands for all layers up to it. */
function sharedLayers(from: StoredImage, to: StoredImage): number {
  let shared = 0;
  while (shared < from.layers.length && from.layers[shared]?.chainId === to.layers[shared]?.chainId)
    shared++;
  return shared;
}
