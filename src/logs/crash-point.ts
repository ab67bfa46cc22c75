import { crashHere } from "#base";

/** The steps of a compression and of shipping at which a crash must lose no line; see the crash tests. */
export const logCrashPoints = ["log:compressed", "log:renamed", "log:shipped"] as const;

/** Kills this very process when the environment names the step: see `crashHere`. */
export function crashPoint(step: (typeof logCrashPoints)[number]): void {
  crashHere(step);
}
