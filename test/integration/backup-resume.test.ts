import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BackupStore, createBackup, fetchBackup, openBackupStore, readBackup } from "#backup";
import { Fault } from "#base";
import type { Digest } from "#image";
import { outcome } from "../../src/base/testing.ts";

let root = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "thimble-resume-"));
  for (const name of ["volume", "fetched"]) mkdirSync(join(root, name));
  for (const name of ["one", "two", "three"])
    writeFileSync(join(root, "volume", name), crypto.getRandomValues(Buffer.alloc(6 << 20)));
});
afterEach(() => rmSync(root, { recursive: true }));

const { signal } = new AbortController();
const registry = () => Promise.reject(new Error("there is no registry"));
const ignore = () => undefined;

async function open(writes: boolean): Promise<BackupStore> {
  const destination = { kind: "directory", path: join(root, "backups") } as const;
  return await openBackupStore(destination, { registry, writes, signal });
}

/** A place whose line is cut after so many calls; those that succeeded are noted. */
function cutAt(store: BackupStore, call: "put" | "read", count: number) {
  const done: Digest[] = [];
  let begun = 0;
  const cut = new Fault("unavailable", "the line is cut");
  const flaky: BackupStore = {
    has: (digest) => store.has(digest),
    manifest: (tag) => store.manifest(tag),
    putManifest: (tag, bytes) => store.putManifest(tag, bytes),
    tags: () => store.tags(),
    remove: (tag) => store.remove(tag),
    collect: (blobsOf) => store.collect(blobsOf),
    async put(ref, path) {
      if (call === "put" && ++begun > count) throw cut;
      const isNew = await store.put(ref, path);
      if (isNew) done.push(ref.digest);
      return isNew;
    },
    async *read(ref) {
      if (call === "read" && ++begun > count) throw cut;
      yield* store.read(ref);
      done.push(ref.digest);
    },
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
  return { store: flaky, done };
}

const backUp = (store: BackupStore) =>
  createBackup(store, {
    ...{ volume: "data", labels: undefined, tag: "t", signal, onProgress: ignore },
    ...{ directory: join(root, "volume"), work: join(root, "work"), created: new Date() },
  });

test("a backup whose line was cut goes on with what was stored, though files came before it", async () => {
  await using store = await open(true);
  const { store: flaky, done } = cutAt(store, "put", 1);
  expect(await outcome(backUp(flaky))).toThrow("the line is cut");
  expect(await store.manifest("t")).toBeUndefined();
  expect(readdirSync(join(root, "work"))).toEqual(["journal"]);
  expect(readdirSync(join(root, "work/journal"))).toEqual(done.map((each) => each.slice(7)));
  writeFileSync(join(root, "volume/a-new-one"), crypto.getRandomValues(Buffer.alloc(50_000)));
  const { size, sent } = await backUp(store);
  expect(sent).toBeLessThan(size - (15 << 20));
  expect(readdirSync(join(root, "work"))).toEqual([]);
});

test("a restore whose line was cut fetches the rest alone", async () => {
  {
    await using store = await open(true);
    await backUp(store);
  }
  await using store = await open(false);
  const backup = await readBackup(store, "t");
  const all = backup.config.segments.length + backup.packs.length;
  const restore = async (from: BackupStore) => {
    const target = mkdtempSync(join(root, "target-"));
    const openKey = () => Promise.reject(new Error("there is no key"));
    const work = join(root, "fetched");
    const request = { target, work, openKey, onProgress: ignore, signal };
    await fetchBackup(from, backup, request);
    return target;
  };
  const first = cutAt(store, "read", 2);
  expect(await outcome(restore(first.store))).toThrow("the line is cut");
  const second = cutAt(store, "read", Infinity);
  const target = await restore(second.store);
  // Those that were on their way when the line was cut came, too.
  expect(second.done.length).toBe(all - first.done.length);
  expect(new Set([...first.done, ...second.done]).size).toBe(all);
  for (const name of ["one", "two", "three"]) {
    const original = readFileSync(join(root, "volume", name));
    expect(readFileSync(join(target, name)).equals(original)).toBe(true);
  }
  expect(readdirSync(join(root, "fetched"))).toEqual([]);
});
