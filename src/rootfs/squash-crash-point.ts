import { crashHere } from "#base";

/** The steps of a squash at which a crash must be survivable; the rest are content's. The crash tests fail when one of these has no test. */
export const squashCrashPoints = ["squash:merged", "squash:packed"] as const;

/** Kills the process here when a crash test asks for this step; see `crashHere`. */
export function crashPoint(step: (typeof squashCrashPoints)[number]): void {
  crashHere(step);
}
