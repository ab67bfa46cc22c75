import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Fault, silentLog } from "#base";
import { type DataRoot, openDataRoot } from "#content";

/** A data root with its content open; all gone at the end of the scope. */
export interface TestContent extends DataRoot {
  readonly root: string;
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
  const opened = await openDataRoot(root, { log: silentLog });
  const { snapshots } = opened;
  const settle = async () => {
    await snapshots.drain();
    await opened[Symbol.asyncDispose]();
  };
  return {
    ...opened,
    root,
    work,
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
