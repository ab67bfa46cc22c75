import { join } from "node:path";
import { defined } from "#base";
import { packBlob } from "#layer";
import type { ContentStores } from "./content.ts";
import type { LayerPlace } from "./layer-store.ts";

/**
 * Whether an unpacked layer has the files of its blob, with their attributes, but for
 * times: unpacks the blob once more and compares what both look like as archives.
 */
export async function sameFiles(
  { blobs, snapshots, layers }: ContentStores,
  place: LayerPlace,
  signal?: AbortSignal,
): Promise<boolean> {
  await using draft = await layers.draft(place, signal);
  await using workspace = await blobs.workspace();
  const describe = async (directory: string, name: string) => {
    const path = join(workspace.path, name);
    const request = {
      ...({ directory, mode: "upper", includeRoot: true, latest: 0n } as const),
      blob: { path, compression: "none" } as const,
    };
    return (await packBlob(request, defined({ signal }))).diffId;
  };
  const should = await describe(draft.directory, "blob");
  return should === (await describe(snapshots.directory(place.chain), "files"));
}
