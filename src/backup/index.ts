/**
 * backup: directories as backups in an OCI registry, a directory or a bucket of S3.
 *
 * A backup is an OCI manifest under a tag: a configuration, packs of chunks (module `chunk`) and
 * an index of them. `createBackup` sends the chunks that the place does not have, `fetchBackup`
 * brings them back and checks each; `pruneBackups` removes what a retention does not keep. A
 * place is a `BackupStore`, opened for one operation. What a volume is, when backups are made and
 * who holds their keys is the engine's to know.
 */

export type { BackupStore } from "./backup-store.ts";
export { type BackupTag, backupTag, parseBackupTag, type Retention } from "./backup-tag.ts";
export { backupCrashPoints } from "./crash-point.ts";
export { type BackupResult, createBackup } from "./create-backup.ts";
export {
  type Destination,
  destinationText,
  type ParsedDestination,
  parseDestination,
} from "./destination.ts";
export { fetchBackup, readBackup } from "./fetch-backup.ts";
export { type BucketAccess, openBackupStore, type StoreAccess } from "./open-store.ts";
export { listBackups, pruneBackups } from "./prune.ts";
