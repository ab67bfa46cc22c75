import type { DiskUsage } from "../contract.ts";
import type { ImageParts } from "./parts.ts";

/** The disk space that images take. */
export async function diskUsage(parts: ImageParts): Promise<DiskUsage> {
  const used = new Set([...parts.store.all()].map(({ imageId }) => imageId));
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
