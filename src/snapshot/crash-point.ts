import { crashHere } from "#base";

/** The steps between disk and rows at which a crash must be survivable; see the crash tests. */
export const snapshotCrashPoints = [
  "snapshot:directory-made",
  "snapshot:work-kept",
  "snapshot:row-deleted",
  "snapshot:old-files-gone",
  "snapshot:files-replaced",
] as const;

export function crashPoint(step: (typeof snapshotCrashPoints)[number]): void {
  crashHere(step);
}
