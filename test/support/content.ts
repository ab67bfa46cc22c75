import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Fault } from "#base";
import { type Content, openContent } from "#content";
import { openOverlaySnapshotter, type Snapshotter } from "#snapshot";
import { openState, type State } from "#state";

/** A data root with its content open; all gone at the end of the scope. */
export interface TestContent extends AsyncDisposable {
  readonly root: string;
  readonly state: State;
  readonly snapshots: Snapshotter;
  readonly content: Content;
  /** A directory on the same file system. */
  readonly work: string;
  /** As after a restart of the engine. */
  reopen(): Promise<TestContent>;
  /** Names of blobs, directories of snapshots, and what lies about. */
  leftovers(): Promise<{
    readonly blobs: number;
    readonly snapshots: number;
    readonly loose: readonly string[];
  }>;
}

export async function openTestContent(
  root = mkdtempSync(join(tmpdir(), "thimble-content-")),
): Promise<TestContent> {
  const work = join(root, "work");
  mkdirSync(work, { recursive: true });
  const state = openState(join(root, "state.db"));
  const snapshots = await openOverlaySnapshotter({ root: join(root, "snapshots"), state });
  const content = await openContent({ root: join(root, "content"), state, snapshots });
  const settle = async () => {
    await snapshots.drain();
    state.close();
  };
  return {
    root,
    work,
    state,
    snapshots,
    content,
    reopen: async () => {
      await settle();
      return await openTestContent(root);
    },
    leftovers: async () => {
      await snapshots.drain();
      const numbers = readdirSync(join(root, "snapshots")).filter((name) => /^\d+$/.test(name));
      return {
        blobs: ["sha256", "sha512"].flatMap((each) =>
          readdirSync(join(root, "content/blobs", each)),
        ).length,
        snapshots: numbers.length,
        loose: [
          ...readdirSync(join(root, "content/ingest")),
          ...readdirSync(join(root, "snapshots/trash")),
        ],
      };
    },
    [Symbol.asyncDispose]: async () => {
      await settle();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** The Fault that `work` ends with; an Error when it does not. */
export async function faultOf(work: Promise<unknown>): Promise<Fault> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof Fault) return error;
  throw error instanceof Error ? error : new Error("it did not fail");
}
