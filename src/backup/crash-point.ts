import { crashHere } from "#base";

/** The steps of backups and restores at which a crash must be survivable; see the crash tests. */
export const backupCrashPoints = [
  "backup:pack-stored",
  "backup:blobs-stored",
  "backup:manifest-stored",
  "restore:blobs-fetched",
  "restore:unpacked",
] as const;

/** Kills the process here when a crash test asks for this step; see `crashHere`. */
export function crashPoint(step: (typeof backupCrashPoints)[number]): void {
  crashHere(step);
}
