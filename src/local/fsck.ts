import { existsSync } from "node:fs";
import { join } from "node:path";
import { Fault, isFault, silentLog } from "#base";
import { type FsckFinding, type FsckReport, openDataRoot } from "#content";
import { type Fd, lockFile } from "#kernel";

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
  await using opened = await openDataRoot(dataRoot, { log: silentLog, untouched: true });
  const report = await opened.content.fsck(options);
  await opened.snapshots.drain();
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
