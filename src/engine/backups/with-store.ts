import { createHash } from "node:crypto";
import { join } from "node:path";
import { type BackupStore, destinationText, openBackupStore, parseDestination } from "#backup";
import { Fault, faultOf } from "#base";
import type { Parts } from "../parts.ts";
import type { BackupPlace } from "./backup-contract.ts";

/** The parts that backups work on. */
export type BackupParts = Parts<
  | "volumes"
  | "store"
  | "events"
  | "registry"
  | "backupTable"
  | "backupRuns"
  | "paths"
  | "locks"
  | "clock"
  | "live"
>;

/** One operation at a time writes to a place of this engine. */
export async function withStore<T>(
  parts: BackupParts,
  options: { readonly place: BackupPlace; readonly writes: boolean; readonly signal: AbortSignal },
  work: (store: BackupStore) => Promise<T>,
): Promise<T> {
  const { place, writes, signal } = options;
  const { destination } = parseDestination(place.text);
  const { credentials, bucket } = place;
  const registry = (lookup: () => BackupPlace["credentials"]) =>
    parts.registry(async () => lookup());
  const run = async () => {
    await using store = await openBackupStore(destination, {
      ...{ registry, credentials, bucket, writes, signal },
    });
    return await work(store);
  };
  return writes
    ? await parts.locks.run(`backup ${destinationText(destination)}`, run)
    : await run();
}

/** The directory for what is under way for one purpose. */
export function workDirectory(parts: BackupParts, purpose: string): string {
  return join(parts.paths.backups, createHash("sha256").update(purpose).digest("hex").slice(0, 32));
}

/** The fault with what was tried before its message. */
export function named(error: unknown, doing: string): Fault {
  const { code, message, about, errno } = faultOf(error);
  if (code === "canceled") return faultOf(error);
  return new Fault(code, `${doing}: ${message}`, {
    cause: error,
    ...(about !== undefined && { about }),
    ...(errno !== undefined && { errno }),
  });
}
