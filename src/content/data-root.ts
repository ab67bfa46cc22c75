import { join } from "node:path";
import { type Log, Scope } from "#base";
import type { CompressionChoice } from "#layer";
import { openOverlaySnapshotter, type Snapshotter } from "#snapshot";
import { openState, type State } from "#state";
import { type Content, openContent } from "./content.ts";

/** What is kept below a data root: the database, and snapshots and content over it. */
export interface DataRoot extends AsyncDisposable {
  readonly state: State;
  readonly snapshots: Snapshotter;
  readonly content: Content;
}

export interface DataRootOptions {
  readonly log: Log;
  /** As in `ContentOptions`. */
  readonly compression?: CompressionChoice | undefined;
  /** Leaves what a crash left as it is, for `fsck` to tell. */
  readonly untouched?: boolean;
}

/**
 * Opens what is kept below `path`, a directory that is there, and settles what a crash left.
 * Disposing closes the database; what is being deleted in the background is gone after
 * `snapshots.drain()`, or after the next start.
 */
export async function openDataRoot(path: string, options: DataRootOptions): Promise<DataRoot> {
  const { log, compression, untouched = false } = options;
  await using scope = new Scope();
  const state = scope.use(openState(join(path, "state.db"), { observe: untouched }));
  const common = { state, log, untouched };
  const snapshots = await openOverlaySnapshotter({ ...common, root: join(path, "snapshots") });
  const root = join(path, "content");
  const content = await openContent({ ...common, root, snapshots, compression });
  const opened = scope.release();
  return { state, snapshots, content, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}
