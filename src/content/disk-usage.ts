import { setImmediate } from "node:timers/promises";
import type { ChainId, Digest } from "#image";
import type { ContentStores } from "./content.ts";

/** The share of one image. */
export interface ImageUsage {
  readonly id: Digest;
  /** Bytes of the files of all its layers. */
  readonly size: number;
  /** Of them, those in layers that other images have too. */
  readonly sharedSize: number;
  readonly uniqueSize: number;
}

/** The disk space of all images. */
export interface ContentUsage {
  readonly images: readonly ImageUsage[];
  /** Each layer once, however many images share it; bytes of the files. */
  readonly layers: { readonly count: number; readonly size: number };
  /** Each blob once; bytes as they are kept for push and save. */
  readonly blobs: { readonly count: number; readonly size: number };
  /** Bytes of the layers and blobs that no image with a container needs. */
  readonly reclaimable: number;
}

const blobsPerTurn = 200;

/** The disk space of images. Reads rows and the sizes of blobs, no documents and no trees. */
export async function contentUsage(
  { table, blobs, snapshots }: ContentStores,
  isUsed: (image: Digest) => boolean,
): Promise<ContentUsage> {
  const layerSizes = new Map<string, number>();
  for (const { name, kind, size } of snapshots.list()) {
    if (kind === "committed") layerSizes.set(name, size);
  }
  const layerUsers = usersOf(table.layerNeeds().map(({ image, chain }) => [chain, image]));
  const blobUsers = usersOf(table.blobNeeds().map(({ image, digest }) => [digest, image]));
  const blobSizes = new Map<Digest, number>();
  for (const [index, digest] of (await blobs.list()).entries()) {
    if (index % blobsPerTurn === blobsPerTurn - 1) await setImmediate();
    if (blobs.has(digest)) blobSizes.set(digest, blobs.size(digest));
  }
  const shared = new Map<Digest, number>();
  for (const [chain, users] of layerUsers) {
    if (users.size < 2) continue;
    for (const image of users) {
      shared.set(image, (shared.get(image) ?? 0) + (layerSizes.get(chain) ?? 0));
    }
  }
  const isFree = (users: ReadonlySet<Digest> | undefined) => ![...(users ?? [])].some(isUsed);
  const freeLayers = sum(
    [...layerSizes].filter(([chain]) => isFree(layerUsers.get(chain as ChainId))),
  );
  const freeBlobs = sum([...blobSizes].filter(([digest]) => isFree(blobUsers.get(digest))));
  return {
    images: table.all().map(({ id, size }) => {
      const sharedSize = shared.get(id) ?? 0;
      return { id, size, sharedSize, uniqueSize: size - sharedSize };
    }),
    layers: { count: layerSizes.size, size: sum([...layerSizes]) },
    blobs: { count: blobSizes.size, size: sum([...blobSizes]) },
    reclaimable: freeLayers + freeBlobs,
  };
}

function usersOf<K>(needs: readonly (readonly [K, Digest])[]): Map<K, Set<Digest>> {
  const users = new Map<K, Set<Digest>>();
  for (const [key, image] of needs) {
    const known = users.get(key);
    if (known) known.add(image);
    else users.set(key, new Set([image]));
  }
  return users;
}

function sum(sizes: readonly (readonly [unknown, number])[]): number {
  return sizes.reduce((total, [, size]) => total + size, 0);
}
