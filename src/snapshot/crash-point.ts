import { crashHere } from "#base";

/** The steps between disk and rows at which a crash must be survivable; see the crash tests. */
export const snapshotCrashPoints = [
  "snapshot:directory-made",
  "snapshot:work-kept",
  "snapshot:row-deleted",
  "snapshot:old-files-gone",
  "snapshot:files-replaced",
] as const;

/** Kills the process here when a crash test asks for this step; see `crashHere`. */
export function crashPoint(step: (typeof snapshotCrashPoints)[number]): void {
  crashHere(step);
}
