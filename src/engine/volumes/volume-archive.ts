import { packTree, unpackTree } from "#layer";
import type { Parts } from "../parts.ts";
import type { ImportRequest, ImportResult } from "./volume-contract.ts";
import { publishVolume } from "./volume-event.ts";
import { parseSource } from "./volume-snapshots.ts";

/** A volume or a snapshot as a tar; while it is read it stays, and its mount is there. */
export async function* exportVolume(
  { volumes }: Parts<"volumes">,
  source: string,
): AsyncGenerator<Uint8Array, void> {
  await using volume = await volumes.copies.read(parseSource(source));
  yield* packTree(volume.path, { includeRoot: true, exact: true });
}

/** Fills a volume from a tar. */
export async function importVolume(
  parts: Parts<"volumes" | "events">,
  { name, owner, archive, replaces, signal }: ImportRequest,
): Promise<ImportResult> {
  let size = { entries: 0, size: 0 };
  const { volume, made } = await parts.volumes.copies.replace(
    { name, owner },
    {
      replaces,
      make: async (directory) => {
        size = await unpackTree({ stream: archive }, directory, { signal });
      },
    },
  );
  if (made) publishVolume(parts, "create", name);
  return { volume, entries: size.entries, bytes: size.size };
}
