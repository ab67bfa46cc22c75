import { crashHere } from "#base";

/** The steps of a compression at which a crash must lose no line; see the crash tests. */
export const logCrashPoints = ["log:compressed", "log:renamed"] as const;

/** Kills this very process when the environment names the step: see `crashHere`. */
export function crashPoint(step: (typeof logCrashPoints)[number]): void {
  crashHere(step);
}
