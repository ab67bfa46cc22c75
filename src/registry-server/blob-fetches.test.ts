import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLog, systemClock } from "#base";
import { type Digest, sha256 } from "#image";
import { outcome } from "../base/testing.ts";
import { BlobFetches } from "./blob-fetches.ts";
import { DiskStore } from "./disk-store.ts";
import type { RepositoryName } from "./layout.ts";
import { Leases } from "./leases.ts";
import type { ObjectStore } from "./object-store.ts";
import type { UpstreamBlob } from "./registry-server.ts";
import { Repositories } from "./repositories.ts";
import { MemoryStore } from "./testing.ts";
import { Uploads } from "./uploads.ts";

const roots: string[] = [];
afterEach(() => {
  for (const root of roots.splice(0)) rmSync(root, { recursive: true });
});

const media: readonly (readonly [string, () => Promise<ObjectStore>])[] = [
  ["a store of files", async () => DiskStore.open(temporary())],
  ["a store without files", async () => new MemoryStore()],
];

function temporary(): string {
  const root = mkdtempSync(join(tmpdir(), "thimble-fetches-"));
  roots.push(root);
  return root;
}

const name = "team/app" as RepositoryName;
const blob = Buffer.alloc(1_000_000).map((_, index) => (index * 31) >> 7);
const piece = 100_000;

/** Fetches of one blob, given out piece by piece as the test lets it. */
async function open(make: () => Promise<ObjectStore>, bytes = blob, digest: Digest = sha256(blob)) {
  const store = await make();
  const leases = new Leases(() => Number(systemClock.now() / 1_000_000n), 60_000);
  const repositories = new Repositories(store, leases);
  const limits = { blobBytes: 1 << 30, activeUploads: 10 };
  const uploads = new Uploads({ store, repositories, clock: systemClock, limits });
  const fetches = new BlobFetches({ store, uploads, log: silentLog });
  const gate = Promise.withResolvers<void>();
  const state = { asked: 0, open: gate.resolve };
  const ask = async (): Promise<UpstreamBlob> => {
    state.asked++;
    async function* stream() {
      yield bytes.subarray(0, piece);
      await gate.promise;
      for (let at = piece; at < bytes.length; at += piece) yield bytes.subarray(at, at + piece);
    }
    return { size: blob.length, stream: stream() };
  };
  const read = () => fetches.read({ name, digest }, ask);
  return { read, state, repositories };
}

async function take(source: AsyncIterator<Uint8Array>, size: number): Promise<number> {
  let taken = 0;
  while (taken < size) {
    const { done, value } = await source.next();
    if (done) break;
    taken += value.byteLength;
  }
  return taken;
}

async function all(found: { bytes: AsyncIterable<Uint8Array> } | undefined): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of found?.bytes ?? []) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

for (const [medium, make] of media) {
  test(`${medium}: all who ask at once get all of it from one fetch`, async () => {
    const { read, state, repositories } = await open(make);
    const readers = [read(), read(), read()];
    const [first, ...others] = await Promise.all(readers);
    state.open();
    const last = read();
    const found = await Promise.all([first, ...others, await last].map(all));
    for (const bytes of found) expect(bytes.equals(blob)).toBe(true);
    expect(state.asked).toBe(1);
    expect(await repositories.blobSize(name, sha256(blob))).toBe(blob.length);
  });

  test(`${medium}: what is not what its digest says never ends well, and is not kept`, async () => {
    const wrong = Buffer.from(blob);
    wrong[5] = 0xff;
    const { read, state, repositories } = await open(make, wrong);
    const found = await Promise.all([read(), read()]);
    state.open();
    for (const each of found) expect(await outcome(all(each))).toThrow();
    expect(await repositories.blobSize(name, sha256(blob))).toBeUndefined();
  });

  test(`${medium}: what is too short or too long is not kept`, async () => {
    for (const bytes of [blob.subarray(0, 500_000), Buffer.concat([blob, blob])]) {
      const { read, state, repositories } = await open(make, bytes);
      const found = await read();
      state.open();
      expect(await outcome(all(found))).toThrow();
      expect(await repositories.blobSize(name, sha256(blob))).toBeUndefined();
    }
  });

  test(`${medium}: who leaves holds up nobody`, async () => {
    const { read, state, repositories } = await open(make);
    const [gone, stays] = await Promise.all([read(), read()]);
    const leaver = gone?.bytes[Symbol.asyncIterator]();
    if (!leaver) throw new Error("nothing was found");
    await take(leaver, 1);
    await leaver.return?.();
    state.open();
    expect((await all(stays)).equals(blob)).toBe(true);
    expect(await repositories.blobSize(name, sha256(blob))).toBe(blob.length);
  });
}

test("a store of files: the first bytes come before the last ones, and a slow reader holds up no other", async () => {
  const { read, state } = await open(() => DiskStore.open(temporary()));
  const [slow, fast] = await Promise.all([read(), read()]);
  const reader = slow?.bytes[Symbol.asyncIterator]();
  if (!reader) throw new Error("nothing was found");
  expect(await take(reader, piece)).toBeGreaterThanOrEqual(piece);
  state.open();
  expect((await all(fast)).equals(blob)).toBe(true);
  expect(await take(reader, blob.length)).toBe(blob.length - piece);
});

test("a store of files: no descriptor is left open", async () => {
  const before = readdirSync("/proc/self/fd").length;
  const { read, state } = await open(() => DiskStore.open(temporary()));
  const found = await Promise.all([read(), read(), read()]);
  state.open();
  await found[2]?.bytes[Symbol.asyncIterator]().return?.();
  await Promise.all(found.slice(0, 2).map(all));
  while (readdirSync("/proc/self/fd").length > before) await new Promise(setImmediate);
});
