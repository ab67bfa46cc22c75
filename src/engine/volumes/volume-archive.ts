import { newId } from "#base";
import { packTree, unpackTree } from "#layer";
import type { Parts } from "../parts.ts";
import type { ImportRequest, ImportResult } from "./volume-contract.ts";
import { publishVolume } from "./volume-event.ts";

/** A volume as a tar; while it is read the volume stays, and its mount is there. */
export async function* exportVolume(
  { volumes }: Parts<"volumes">,
  name: string,
): AsyncGenerator<Uint8Array, void> {
  const reader = newId();
  const path = await volumes.hold(name, reader, { isUse: false });
  try {
    yield* packTree(path, { includeRoot: true, exact: true });
  } finally {
    await volumes.release(name, reader);
  }
}

/** Fills a volume from a tar. */
export async function importVolume(
  parts: Parts<"volumes" | "events">,
  { name, owner, archive, replaces, signal }: ImportRequest,
): Promise<ImportResult> {
  let size = { entries: 0, size: 0 };
  const { volume, made } = await parts.volumes.replace(
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
