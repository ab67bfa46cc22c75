import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Digest, sha256 } from "#image";
import { Bucket } from "#s3";
import { findS3Server, type S3Server } from "../../test/support/s3-server.ts";
import { outcome } from "../base/testing.ts";
import { S3BackupStore } from "./s3-store.ts";

const hour = 3600_000;
const directory = mkdtempSync(join(tmpdir(), "thimble-s3-store-"));
let server: S3Server;
beforeAll(async () => {
  server = await findS3Server();
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true });
});

/** @param ahead milliseconds by which the clock is ahead of the bucket's */
function storeAt(prefix: string, ahead = 0): S3BackupStore {
  const { signal } = new AbortController();
  const { bucket, endpoint, credentials } = server;
  const options = { prefix, signal, now: () => Date.now() + ahead };
  return new S3BackupStore(new Bucket({ bucket, endpoint, credentials }), options);
}

async function put(store: S3BackupStore, bytes: Uint8Array): Promise<Digest> {
  const path = join(directory, "blob");
  writeFileSync(path, bytes);
  const ref = { digest: sha256(bytes), size: bytes.length };
  expect(await store.put(ref, path)).toBe(true);
  expect(await store.put(ref, path)).toBe(false);
  const read = Buffer.concat(await Array.fromAsync(store.read(ref)));
  expect(read.equals(bytes)).toBe(true);
  return ref.digest;
}

test("small blobs and those of several parts come back as they were", async () => {
  const store = storeAt("blobs");
  await put(store, Buffer.from("small"));
  await put(store, crypto.getRandomValues(Buffer.alloc(9 << 20)));
});

test("blobs that nothing refers to are deleted after a day, and no others", async () => {
  const store = storeAt("collected");
  const kept = await put(store, Buffer.from("kept"));
  const lost = await put(store, Buffer.from("lost"));
  await store.putManifest("t", Buffer.from("manifest"));
  const blobsOf = () => [kept];
  expect(await store.collect(blobsOf)).toBe(0);
  expect(await storeAt("collected", 23 * hour).collect(blobsOf)).toBe(0);
  expect(await storeAt("collected", 25 * hour).collect(blobsOf)).toBe(4);
  expect([await store.has(kept), await store.has(lost)]).toEqual([true, false]);
  expect(await Array.fromAsync(store.tags())).toEqual(["t"]);
  await store.remove("t");
  expect(await store.manifest("t")).toBeUndefined();
});

test("a blob that is missing is named", async () => {
  const read = Array.fromAsync(storeAt("none").read({ digest: sha256("x"), size: 1 }));
  expect(await outcome(read)).toThrow(`none/blobs/sha256/${sha256("x").slice(7)} is missing`);
});
