import { crashHere } from "#base";

/** The steps of a squash at which a crash must be survivable; the rest are content's. The crash tests fail when one of these has no test. */
export const squashCrashPoints = ["squash:merged", "squash:packed"] as const;

export function crashPoint(step: (typeof squashCrashPoints)[number]): void {
  crashHere(step);
}
