import { afterAll, beforeAll, expect, test } from "bun:test";
import { outcome } from "../../src/base/testing.ts";
import { objectStoreContract } from "../../src/registry-server/contract.ts";
import { S3Store } from "../../src/registry-server/s3/s3-store.ts";
import { findS3Server, type S3Server } from "../support/s3-server.ts";

let server: S3Server;
beforeAll(async () => {
  server = await findS3Server();
});
afterAll(() => server[Symbol.asyncDispose]());

let count = 0;
/** A bucket that others own may hold what earlier runs left. */
const run = crypto.randomUUID();
const open = (prefix: string, options: { copyLimit?: number; pageSize?: number } = {}) =>
  S3Store.open({ ...server, prefix: `${run}/${prefix}`, ...options });

objectStoreContract("S3", async () => {
  const prefix = `test/${count++}`;
  return {
    store: await open(prefix, { pageSize: 10 }),
    reopen: () => open(prefix, { pageSize: 10 }),
    [Symbol.asyncDispose]: async () => undefined,
  };
});

/** Bytes that tell where they belong. */
const piece = (index: number, size: number) => Buffer.alloc(size, index);

test("an object of many parts goes on where another store left it", async () => {
  const prefix = `parts/${count++}`;
  let size = 0;
  for (let index = 0; index < 5; index++) {
    const writer = await (await open(prefix)).writer("u/data");
    expect(writer.size).toBe(size);
    const bytes = piece(index, 5_000_000);
    await writer.write(bytes);
    size += bytes.length;
    await (index < 4 ? writer.close() : writer.commit());
  }
  const store = await open(prefix);
  expect(await store.stat("u/data")).toMatchObject({ size });
  let at = 0;
  for await (const chunk of store.read("u/data")) {
    expect([chunk[0], chunk.at(-1)]).toEqual([
      Math.floor(at / 5_000_000),
      Math.floor((at + chunk.length - 1) / 5_000_000),
    ]);
    at += chunk.length;
  }
  expect(at).toBe(size);
  expect((await Array.fromAsync(store.walk(""))).map(({ key }) => key)).toEqual(["u/data"]);
});

test("an object too large for one copy in S3 is copied through us", async () => {
  const store = await open(`copy/${count++}`, { copyLimit: 1000 });
  await store.write("from", piece(3, 2000));
  await store.move("from", "to");
  expect(await store.get("to", 2000)).toEqual(piece(3, 2000));
  expect(await store.stat("from")).toBeUndefined();
});

test("a missing bucket is told at once, with the remedy", async () => {
  const opened = S3Store.open({ ...server, bucket: "other" });
  expect(await outcome(opened)).toThrow(`in the bucket other at ${server.endpoint}: `);
  expect(await outcome(opened)).toThrow("check its name, or make it");
});
