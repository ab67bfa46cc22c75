import { createHash } from "node:crypto";
import { isFault, Scope } from "#base";
import type { VolumeSource } from "#volume";
import { usersOf } from "../containers/container-volumes.ts";
import { snapshotVolume } from "../volumes/volume-snapshots.ts";
import type { BackupParts } from "./with-store.ts";

/** The directory that a backup is made of; it stays until it is disposed of. */
interface BackupSource extends AsyncDisposable {
  readonly path: string;
  readonly warnings: readonly string[];
}

/**
 * The files of a volume, or of its snapshot that the source names. With `fromSnapshot` one is made,
 * for which containers stand still, and removed again; it has the same tag for all backups to a
 * place, so that the next one removes what a crash left.
 */
export async function openSource(
  parts: BackupParts,
  source: VolumeSource,
  options: {
    readonly fromSnapshot: boolean;
    readonly destination: string;
    readonly signal: AbortSignal;
  },
): Promise<BackupSource> {
  const { name, snapshot } = source;
  if (snapshot === undefined && options.fromSnapshot) return await openOwn(parts, name, options);
  const reader = await parts.volumes.copies.read(source);
  const isChanging = snapshot === undefined && isRunning(parts, name);
  const torn = `a running container has ${name}: files that it changed meanwhile may be torn in the backup; back up from a snapshot (--snapshot)`;
  return {
    path: reader.path,
    warnings: isChanging ? [torn] : [],
    [Symbol.asyncDispose]: () => reader[Symbol.asyncDispose](),
  };
}

async function openOwn(
  parts: BackupParts,
  name: string,
  { destination, signal }: { readonly destination: string; readonly signal: AbortSignal },
): Promise<BackupSource> {
  const digits = createHash("sha256").update(destination).digest("hex").slice(0, 12);
  const tag = `backup-${digits}`;
  const remove = () => {
    try {
      parts.volumes.copies.removeSnapshot(name, tag);
    } catch (error) {
      if (!isFault(error, "not_found")) throw error;
    }
  };
  remove();
  await using scope = new Scope();
  scope.defer(remove);
  await snapshotVolume(parts, name, { tag, pause: true, signal });
  const { path } = scope.use(await parts.volumes.copies.read({ name, snapshot: tag }));
  const opened = scope.release();
  return { path, warnings: [], [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

function isRunning(parts: BackupParts, name: string): boolean {
  return usersOf(parts, name).some((id) => parts.store.get(id)?.state.status === "running");
}
