import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { outcome } from "../base/testing.ts";
import { objectStoreContract } from "./contract.ts";
import { DiskStore } from "./disk-store.ts";

function temporary(): string {
  return mkdtempSync(join(tmpdir(), "thimble-registry-disk-"));
}

objectStoreContract("disk", async () => {
  const root = temporary();
  return {
    store: await DiskStore.open(root),
    reopen: () => DiskStore.open(root),
    [Symbol.asyncDispose]: async () => rmSync(root, { recursive: true }),
  };
});

test("half-written files of a crash are gone when it is opened", async () => {
  const root = temporary();
  await DiskStore.open(root);
  writeFileSync(join(root, "thimble/new/7"), "half");
  const store = await DiskStore.open(root);
  expect(readdirSync(join(root, "thimble/new"))).toEqual([]);
  expect(await Array.fromAsync(store.list(""))).toEqual([]);
  rmSync(root, { recursive: true });
});

test("a directory that cannot be is told as such", async () => {
  const root = temporary();
  writeFileSync(join(root, "file"), "");
  expect(await outcome(DiskStore.open(join(root, "file")))).toThrow("give a directory that can");
  rmSync(root, { recursive: true });
});

test("empty directories of others are not objects", async () => {
  const root = temporary();
  mkdirSync(join(root, "a/b"), { recursive: true });
  const store = await DiskStore.open(root);
  expect(await store.stat("a/b")).toBeUndefined();
  expect(await Array.fromAsync(store.walk(""))).toEqual([]);
  await store.delete("a/b/c");
  expect(await Array.fromAsync(store.list(""))).toEqual([]);
  rmSync(root, { recursive: true });
});
