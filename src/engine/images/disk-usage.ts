import { usedImages } from "../containers/container-images.ts";
import type { DiskUsage } from "../contract.ts";
import type { Parts } from "../parts.ts";

/** The disk space that images take. */
export async function diskUsage(parts: Parts<"content" | "store">): Promise<DiskUsage> {
  const used = usedImages(parts);
  const { images, layers, blobs, reclaimable } = await parts.content.diskUsage((id) =>
    used.has(id),
  );
  return {
    layers: layers.size,
    blobs,
    reclaimable,
    shared: new Map(images.map(({ id, sharedSize }) => [id, sharedSize])),
  };
}
