/**
 * explain: where the bytes of an image are, and how two images differ.
 *
 * It is given the directories of an image's layers (committed snapshots, lowest first)
 * and merges them as overlayfs would, keeping account of the files that later layers hide. The
 * package databases in the image say which package a file came with. Everything runs in
 * a thread of its own that ends with the answer; nothing is written, mounted or kept,
 * and no name leads out of a layer. The caller holds the layers with a lease.
 * Words: visible (seen by a container), wasted (hidden by a later layer).
 */
import type { FileComparison } from "./compare-images.ts";
import type { PathExplanation } from "./explain-path.ts";
import { runJob } from "./explainer.ts";
import type { Explanation } from "./explanation.ts";
import type { Jobs } from "./job.ts";

export { type ConfigChange, compareConfigs } from "./compare-configs.ts";
export type {
  ChangedAspect,
  FileChange,
  FileComparison,
  FileState,
  PackageVersion,
} from "./compare-images.ts";
export type { PathExplanation, PathStep } from "./explain-path.ts";
export type * from "./explanation.ts";
export type { PackageManager, UnreadDatabase } from "./packages/package.ts";

/** Where the bytes of the stack are; `exhausted` above two million files. */
export function explainLayers(
  request: Jobs["explain"]["in"],
  signal?: AbortSignal,
): Promise<Explanation> {
  return runJob("explain", request, signal);
}

/** Which layers and which package a path comes from; `not_found` when no layer ever had it. */
export function explainLayerPath(
  request: Jobs["path"]["in"],
  signal?: AbortSignal,
): Promise<PathExplanation> {
  return runJob("path", request, signal);
}

/** The differences between the trees that two stacks show. */
export function compareLayers(
  request: Jobs["compare"]["in"],
  signal?: AbortSignal,
): Promise<FileComparison> {
  return runJob("compare", request, signal);
}
