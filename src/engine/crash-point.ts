import { crashHere } from "#base";

/**
 * The steps at which a crash must be survivable, in the order they are met. The
 * crash tests kill the engine at each and fail when one of these has no test.
 */
export const crashPoints = [
  "create:snapshot-prepared",
  "create:directory-made",
  "create:recorded",
  "start:network-attached",
  "start:names-served",
  "start:launched",
  "start:recorded",
  "start:go-sent",
  "start:started",
  "exit:seen",
  "exit:recorded",
  "exit:networks-left",
  "remove:row-deleted",
  "remove:snapshot-removed",
  "exec:started",
  "connect:attached",
  "connect:recorded",
  "disconnect:recorded",
  "disconnect:left",
  "pause:recorded",
  "unpause:thawed",
  "commit:held",
  "debug:launched",
  "debug:started",
] as const;

export type CrashPoint = (typeof crashPoints)[number];

/** Kills this very process when the environment names the step: see `crashHere`. */
export function crashPoint(name: CrashPoint): void {
  crashHere(name);
}
