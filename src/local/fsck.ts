import { existsSync } from "node:fs";
import { join } from "node:path";
import { Fault, isFault } from "#base";
import { type FsckFinding, type FsckReport, openContent } from "#content";
import { type Fd, lockFile } from "#kernel";
import { openOverlaySnapshotter } from "#snapshot";
import { openState } from "#state";

export interface FsckRequest {
  readonly dataRoot: string;
  readonly repair: boolean;
  /** Compares the files of layers with their blobs, too. */
  readonly deep: boolean;
  /** As they are found: a check of many gigabytes takes its time. */
  readonly onFinding: (finding: FsckFinding) => void;
}

/**
 * Checks the images of a data root that no engine has (`conflict` when one does; ask that
 * engine then). Without `repair` nothing is changed.
 */
export async function fsck({ dataRoot, ...options }: FsckRequest): Promise<FsckReport> {
  if (!existsSync(join(dataRoot, "state.db"))) {
    throw new Fault(
      "not_found",
      `there is no data of an engine in ${dataRoot}; choose its root with --data-root`,
      {
        about: dataRoot,
      },
    );
  }
  using _lock = lockRoot(dataRoot);
  using state = openState(join(dataRoot, "state.db"), { observe: true });
  const places = { state, untouched: true } as const;
  const snapshots = await openOverlaySnapshotter({ ...places, root: join(dataRoot, "snapshots") });
  const content = await openContent({ ...places, root: join(dataRoot, "content"), snapshots });
  const report = await content.fsck(options);
  await snapshots.drain();
  return report;
}

function lockRoot(dataRoot: string): Fd {
  try {
    return lockFile(join(dataRoot, "lock"));
  } catch (cause) {
    if (!isFault(cause, "conflict")) throw cause;
    throw new Fault(
      "conflict",
      `the data root ${dataRoot} is in use by an engine: stop that one first, or let it check itself`,
      { about: dataRoot, cause },
    );
  }
}
