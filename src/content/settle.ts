import { existsSync } from "node:fs";
import { faultOf } from "#base";
import type { ChainId, Digest } from "#image";
import type { ContentStores } from "./content.ts";
import { stepsOf } from "./layer-store.ts";

/**
 * Repairs what a crash left, before anything else runs: removes half-unpacked layers, and blobs and
 * layers that nothing needs; unpacks layers again from their blobs that had not reached the disk.
 * Reads no document of an image that is whole.
 */
export async function settleContent(stores: ContentStores): Promise<void> {
  const { images, collector, snapshots, drafts } = stores;
  for (const key of await drafts.abandoned()) await snapshots.remove(key);
  await collector.collectAll();
  images.describeAll();
  const lost = lostLayers(stores);
  for (const [id, chains] of lost) await unpackAgain(stores, id, chains);
}

/** By image: layers that are not there, or without their files, since others are built upon them. */
function lostLayers({ table, snapshots }: ContentStores): ReadonlyMap<Digest, Set<ChainId>> {
  const here = new Set(snapshots.list().map(({ name }) => name));
  for (const problem of snapshots.problems()) {
    if (problem.kind === "lost") here.delete(problem.snapshot.name);
  }
  const lost = new Map<Digest, Set<ChainId>>();
  if ([...table.neededLayers()].every((chain) => here.has(chain))) return lost;
  for (const { image, chain } of table.layerNeeds()) {
    if (!here.has(chain)) lost.set(image, (lost.get(image) ?? new Set()).add(chain));
  }
  return lost;
}

async function unpackAgain(
  stores: ContentStores,
  id: Digest,
  chains: ReadonlySet<ChainId>,
): Promise<void> {
  const { images, collector, layers, snapshots, log } = stores;
  try {
    const { manifest, config } = images.get(id);
    await using lease = collector.lease();
    for (const place of stepsOf(manifest, config)) {
      lease.holdBlob(place.layer.digest);
      lease.holdLayer(place.chain);
      // The first of the images that share the layer has brought it back.
      const isBack = existsSync(
        snapshots.stat(place.chain) ? snapshots.directory(place.chain) : "",
      );
      if (chains.has(place.chain) && !isBack) await layers.restore(place);
    }
  } catch (error) {
    log.error("an image's layers are lost; pull or load it again", {
      image: id,
      error: faultOf(error).message,
    });
  }
}
