import { crashHere } from "#base";

/** The steps between kernel and rows at which a crash must be survivable; see the crash tests. */
export const networkCrashPoints = [
  "network:bridge-made",
  "network:rules-made",
  "network:recorded",
  "network:row-deleted",
  "network:rules-removed",
] as const;

/** The same of published ports. */
export const portCrashPoints = [
  "ports:held",
  "ports:translated",
  "ports:bound-to-process",
  "ports:untranslated",
  "ports:replaced",
  "ports:move-recorded",
  "ports:retargeted",
  "ports:added",
  "ports:added-recorded",
  "ports:removed",
] as const;

/** Kills the process here when a crash test asks for this step; see `crashHere`. */
export function crashPoint(
  step: (typeof networkCrashPoints | typeof portCrashPoints)[number],
): void {
  crashHere(step);
}
