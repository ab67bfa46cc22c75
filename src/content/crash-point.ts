import { crashHere } from "#base";

/**
 * The steps of storing, removing and collecting at which a crash must be survivable.
 * The crash tests kill a process at each and fail when one of these has no test.
 */
export const contentCrashPoints = [
  "pull:blob-received",
  "pull:blob-adopted",
  "pull:documents-stored",
  "pull:recorded",
  "unpack:draft-made",
  "unpack:applied",
  "unpack:settled",
  "unpack:committed",
  "commit:packed",
  "commit:blob-adopted",
  "layer:committed",
  "push:manifests-stored",
  "push:manifests-replaced",
  "untag:recorded",
  "delete:rows-deleted",
  "delete:blobs-deleted",
  "gc:blob-deleted",
  "gc:layer-deleted",
] as const;

export type ContentCrashPoint = (typeof contentCrashPoints)[number];

/** Kills the process here when a crash test asks for this step; see `crashHere`. */
export function crashPoint(step: ContentCrashPoint): void {
  crashHere(step);
}
