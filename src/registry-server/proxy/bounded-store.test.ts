import { expect, test } from "bun:test";
import { silentLog } from "#base";
import { MemoryStore } from "../testing.ts";
import { BoundedStore } from "./bounded-store.ts";

const blob = (name: string) =>
  `docker/registry/v2/blobs/sha256/${name.repeat(2)}/${name.repeat(64)}/data`;
const bytes = (size: number) => Buffer.alloc(size, 1);
const kib = 1024;

/** A store of at most 300 KiB of blobs, at a time that the test sets. */
async function open(inner = new MemoryStore()) {
  const clock = { now: 1_000_000 };
  const evicted: number[] = [];
  const store = await BoundedStore.open({
    store: inner,
    maxBytes: 300 * kib,
    log: silentLog,
    onEvicted: (size) => evicted.push(size),
    now: () => clock.now,
  });
  const blobs = async () =>
    (await Array.fromAsync(inner.walk("")))
      .map(({ key }) => /(.)\/data$/.exec(key)?.[1] ?? key)
      .sort();
  return { store, clock, evicted, blobs };
}

test("the least recently used blob goes first", async () => {
  const { store, clock, evicted, blobs } = await open();
  for (const name of ["a", "b", "c"]) {
    await store.write(blob(name), bytes(100 * kib));
    clock.now += 100_000;
  }
  await Array.fromAsync(store.read(blob("a")));
  clock.now += 100_000;
  await store.write(blob("d"), bytes(150 * kib));
  await store.settled();
  expect(await blobs()).toEqual(["a", "d"]);
  expect(evicted).toEqual([100 * kib, 100 * kib]);
});

test("moved blobs count, deleted ones no longer do", async () => {
  const { store, clock, blobs } = await open();
  await store.write("up", bytes(200 * kib));
  await store.move("up", blob("a"));
  clock.now += 100_000;
  await store.delete(blob("a"));
  await store.write(blob("b"), bytes(200 * kib));
  clock.now += 100_000;
  await store.write(blob("c"), bytes(100 * kib));
  await store.settled();
  expect(await blobs()).toEqual(["b", "c"]);
});

test("blobs in use stay even when they are too many", async () => {
  const { store, blobs } = await open();
  await store.write(blob("a"), bytes(200 * kib));
  await store.write(blob("b"), bytes(200 * kib));
  await store.settled();
  expect(await blobs()).toEqual(["a", "b"]);
});

test("manifests and other objects stay", async () => {
  const { store, clock, blobs } = await open();
  await store.write(blob("a"), bytes(2 * kib));
  await store.write("docker/registry/v2/repositories/x/link", bytes(10));
  clock.now += 100_000;
  await store.write(blob("b"), bytes(200 * kib));
  clock.now += 100_000;
  await store.write(blob("c"), bytes(299 * kib));
  await store.settled();
  expect(await blobs()).toEqual(["a", "c", "docker/registry/v2/repositories/x/link"]);
});

test("a store that was filled before is made to fit when it is opened, the oldest first", async () => {
  const time = { now: 1000 };
  const inner = new MemoryStore({ now: () => time.now });
  for (const name of ["c", "a", "b"]) {
    await inner.write(blob(name), bytes(150 * kib));
    time.now += 1000;
  }
  const { blobs } = await open(inner);
  expect(await blobs()).toEqual(["a", "b"]);
});
