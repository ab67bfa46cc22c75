import { join } from "node:path";
import { type Log, Scope } from "#base";
import type { CompressionChoice } from "#layer";
import { openOverlaySnapshotter, type Snapshotter } from "#snapshot";
import { openState, type State } from "#state";
import { type Content, openContent } from "./content.ts";

/** The parts of a data root: its database, and the snapshots and content that it lists. */
export interface DataRoot extends AsyncDisposable {
  readonly state: State;
  readonly snapshots: Snapshotter;
  readonly content: Content;
}

/** How to open a data root. */
export interface DataRootOptions {
  readonly log: Log;
  /** As in `ContentOptions`. */
  readonly compression?: CompressionChoice | undefined;
  /** Does not settle what a crash left; `fsck` lists it. */
  readonly untouched?: boolean;
}

/**
 * Opens the data root at `path`, an existing directory, and settles what a crash left. Disposing
 * closes the database; files that are being deleted in the background are gone after
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
