/**
 * snapshot: the directories behind images and containers.
 *
 * A `Snapshotter` keeps stacks of layers and says how to mount them; it never mounts,
 * never reads an archive and does not know images. Implementation: overlayfs.
 * Words: active (writable, by key), view (read-only, by key), committed (a layer, by
 * chain id). Life cycle: `openOverlaySnapshotter` (settles what a crash left), then
 * prepare -> commit or remove. contract.ts is the suite that every one must pass.
 */

export { snapshotCrashPoints } from "./crash-point.ts";
export { mountPoints } from "./mount-points.ts";
export { openOverlaySnapshotter } from "./overlay-snapshotter.ts";
export type {
  FoundFile,
  SnapshotInfo,
  SnapshotKind,
  SnapshotProblem,
  Snapshotter,
} from "./snapshotter.ts";
