import { crashHere } from "#base";

/**
 * The steps of a build at which a crash must be survivable, in the order they are met. The crash
 * tests kill the engine at each and fail when one of these has no test.
 */
export const buildCrashPoints = [
  "build:step-prepared",
  "build:step-carried-out",
  "build:failed-step-kept",
  "build:step-committed",
  "build:step-recorded",
  "build:image-stored",
] as const;

/** Kills the process here when a crash test asks for this step; see `crashHere`. */
export function crashPoint(step: (typeof buildCrashPoints)[number]): void {
  crashHere(step);
}
