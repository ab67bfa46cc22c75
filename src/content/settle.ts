import { faultOf } from "#base";
import type { Digest } from "#image";
import type { ContentStores } from "./content.ts";

/**
 * Makes good what a crash left, before anything else runs: half unpacked layers go, and
 * blobs and layers that nothing needs; layers that had not reached the disk are
 * unpacked again from their blobs. Reads no document of an image that is whole.
 */
export async function settleContent(stores: ContentStores): Promise<void> {
  const { images, collector, snapshots, drafts } = stores;
  for (const key of await drafts.abandoned()) await snapshots.remove(key);
  await collector.collectAll();
  images.describeAll();
  for (const id of withLostLayers(stores)) await unpackAgain(stores, id);
}

function withLostLayers({ table, snapshots }: ContentStores): ReadonlySet<Digest> {
  const here = new Set(snapshots.list().map(({ name }) => name));
  const lost = table.layerNeeds().filter(({ chain }) => !here.has(chain));
  return new Set(lost.map(({ image }) => image));
}

async function unpackAgain(stores: ContentStores, id: Digest): Promise<void> {
  const { images, collector, layers, log } = stores;
  try {
    const { manifest, config } = images.get(id);
    await using lease = collector.lease();
    await layers.ensure({ manifest, config, lease });
  } catch (error) {
    log.error("an image's layers are lost; pull or load it again", {
      image: id,
      error: faultOf(error).message,
    });
  }
}
