import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { contentCrashPoints } from "#content";
import { parseReference } from "#image";
import { snapshotCrashPoints } from "#snapshot";
import { openTestContent, type TestContent } from "../support/content.ts";
import { sourceOf, victimImages } from "../support/content-images.ts";

const crashPoints = [...contentCrashPoints, ...snapshotCrashPoints];
type Step = (typeof crashPoints)[number];

/** What the victim does when it dies, and whether its image is there afterwards. */
const expectations: Record<Step, { readonly scenario: string; readonly isThere: boolean }> = {
  "pull:blob-received": { scenario: "pull", isThere: false },
  "pull:blob-adopted": { scenario: "pull", isThere: false },
  "pull:documents-stored": { scenario: "pull", isThere: false },
  "pull:recorded": { scenario: "pull", isThere: true },
  "unpack:draft-made": { scenario: "load", isThere: false },
  "unpack:applied": { scenario: "load", isThere: false },
  "unpack:settled": { scenario: "pull", isThere: false },
  "unpack:committed": { scenario: "pull", isThere: false },
  "commit:packed": { scenario: "commit", isThere: false },
  "commit:blob-adopted": { scenario: "commit", isThere: false },
  "layer:committed": { scenario: "step", isThere: false },
  "push:manifests-stored": { scenario: "push", isThere: true },
  "push:manifests-replaced": { scenario: "push", isThere: true },
  "untag:recorded": { scenario: "untag", isThere: false },
  "delete:rows-deleted": { scenario: "delete", isThere: false },
  "delete:blobs-deleted": { scenario: "delete", isThere: false },
  "gc:blob-deleted": { scenario: "delete", isThere: false },
  "gc:layer-deleted": { scenario: "delete", isThere: false },
  "snapshot:directory-made": { scenario: "pull", isThere: false },
  "snapshot:work-kept": { scenario: "pull", isThere: false },
  "snapshot:row-deleted": { scenario: "delete", isThere: false },
  "snapshot:old-files-gone": { scenario: "repair", isThere: false },
  "snapshot:files-replaced": { scenario: "repair", isThere: false },
};

const { kept, victim } = victimImages();
const removal = { force: true, usersOf: () => [] };
let root: string;

beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "thimble-crash-"));
  mkdirSync(join(root, "upper"));
  writeFileSync(join(root, "upper/new"), "new");
  await using data = await opened();
  const references = [parseReference("kept:1")];
  const { manifestBytes } = kept;
  await data.content.pull({ manifestBytes, references, source: sourceOf([kept]) });
});

afterAll(() => rmSync(root, { recursive: true }));

/** At the root of the suite, which outlives it. */
async function opened(): Promise<Omit<TestContent, "reopen"> & AsyncDisposable> {
  const data = await openTestContent(root);
  const close = async () => {
    await data.snapshots.drain();
    data.state.close();
  };
  return { ...data, [Symbol.asyncDispose]: close };
}

test("every crash step has its test", () => {
  expect(Object.keys(expectations)).toEqual(crashPoints);
});

test.each(crashPoints.map((step) => [step] as const))("killed at %s", async (step) => {
  const { scenario, isThere } = expectations[step];
  await crash(scenario, step);
  await using data = await opened();
  const { content } = data;
  const names = content.images.list().flatMap(({ tags }) => tags);
  expect(names.includes("victim:1")).toBe(isThere);
  expect(names.includes("victim:2")).toBe(scenario === "untag");
  expect((await content.fsck({ repair: false, deep: true })).findings).toEqual([]);
  // What is left must not be in the way of the next one.
  const { manifestBytes } = victim;
  const references = [parseReference("victim:1")];
  await content.pull({ manifestBytes, references, source: sourceOf([victim]) });
  for (const name of ["victim:1", "victim:2"]) {
    if (content.images.list().some(({ tags }) => tags.includes(name))) {
      await content.images.remove(name, removal);
    }
  }
  expect(content.resolve("kept:1").digest).toBe(kept.digest);
  expect(await data.leftovers()).toEqual({ blobs: 4, snapshots: 2, loose: [] });
});

async function crash(scenario: string, step: string): Promise<void> {
  const child = Bun.spawn(
    [process.execPath, join(import.meta.dirname, "content-victim.ts"), root, scenario, step],
    { stdout: "inherit", stderr: "inherit" },
  );
  await child.exited;
  expect(child.signalCode).toBe("SIGKILL");
}
