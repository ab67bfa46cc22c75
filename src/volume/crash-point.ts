import { crashHere } from "#base";

/** The steps between disk and rows at which a crash must be survivable; see the crash tests. */
export const volumeCrashPoints = [
  "volume:recorded",
  "volume:directory-made",
  "volume:replacement-made",
  "volume:replaced",
  "snapshot:recorded",
  "snapshot:copied",
  "snapshot:moved",
  "snapshot:set-aside",
  "snapshot:row-deleted",
  "volume:copied",
  "volume:copy-moved",
  "volume:set-aside",
  "volume:row-deleted",
  "volume:row-renamed",
  "volume:mounted",
  "volume:plugin-recorded",
  "volume:plugin-made",
] as const;

/** Kills the process here when a crash test asks for this step; see `crashHere`. */
export function crashPoint(step: (typeof volumeCrashPoints)[number]): void {
  crashHere(step);
}
