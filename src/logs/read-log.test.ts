import { afterEach, beforeEach, expect, test } from "bun:test";
import {
  appendFileSync,
  mkdtempSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatTime } from "#base";
import { type ReadLogOptions, readLog } from "./read-log.ts";

let directory = "";
let path = "";
const epoch = 1_700_000_000_000_000_000n;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "thimble-logs-"));
  path = join(directory, "x-json.log");
});
afterEach(() => rmSync(directory, { recursive: true }));

function record(text: string, second = 0, stream = "stdout"): string {
  const time = formatTime(epoch + BigInt(second) * 1_000_000_000n);
  return `${JSON.stringify({ log: text, stream, time })}\n`;
}

function numbered(from: number, to: number): string {
  let text = "";
  for (let i = from; i < to; i++) text += record(`line ${i}\n`, i);
  return text;
}

async function read(options: Partial<ReadLogOptions> = {}): Promise<string[]> {
  const found: string[] = [];
  for await (const batch of readLog({ path, maxFiles: 5, ...options })) {
    for (const { line } of batch) found.push(Buffer.from(line).toString());
  }
  return found;
}

function expected(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, i) => `line ${from + i}\n`);
}

test("a missing log is empty", async () => {
  expect(await read()).toEqual([]);
  expect(await read({ tail: 3 })).toEqual([]);
});

test("records keep stream, time, bytes and the parts of long lines", async () => {
  writeFileSync(path, record("a", 1) + record("b\n", 2, "stderr") + record("ü\u0000\n", 3));
  const batches = await Array.fromAsync(readLog({ path, maxFiles: 1 }));
  const found = batches.flat().map(({ stream, time, line }) => ({
    stream,
    second: Number((time - epoch) / 1_000_000_000n),
    text: Buffer.from(line).toString(),
  }));
  expect(found).toEqual([
    { stream: "stdout", second: 1, text: "a" },
    { stream: "stderr", second: 2, text: "b\n" },
    { stream: "stdout", second: 3, text: "ü\u0000\n" },
  ]);
});

test("a record that a crash cut short or a full disk spoiled is passed over", async () => {
  writeFileSync(path, `{"log":"cu\n${record("a\n")}null\n[]\n{"log":"b\\n","str`);
  expect(await read()).toEqual(["a\n"]);
});

test("a line that no record can be is dropped without keeping it", async () => {
  writeFileSync(path, `${record("a\n")}${"x".repeat(3_000_000)}\n${record("b\n")}`);
  expect(await read()).toEqual(["a\n", "b\n"]);
});

test("rotated files come first, oldest first, across blocks", async () => {
  writeFileSync(`${path}.2`, numbered(0, 2000));
  writeFileSync(`${path}.1`, numbered(2000, 4000));
  writeFileSync(path, numbered(4000, 4003));
  expect(await read()).toEqual(expected(0, 4003));
});

test.each([0, 1, 3, 4, 1999, 2003, 2004, 4002, 4003, 9999])("the last %d records", async (tail) => {
  writeFileSync(`${path}.2`, numbered(0, 2000));
  writeFileSync(`${path}.1`, numbered(2000, 4000));
  writeFileSync(path, numbered(4000, 4003));
  expect(await read({ tail })).toEqual(expected(Math.max(0, 4003 - tail), 4003));
});

test("an unfinished last line does not count for the tail", async () => {
  writeFileSync(path, `${numbered(0, 3)}{"log":"li`);
  expect(await read({ tail: 1 })).toEqual(["line 2\n"]);
});

test("since and until are inclusive", async () => {
  writeFileSync(path, numbered(0, 10));
  const at = (second: number) => epoch + BigInt(second) * 1_000_000_000n;
  expect(await read({ since: at(3), until: at(5) })).toEqual(expected(3, 6));
});

test("following passes all records until the end, across a rotation", async () => {
  writeFileSync(path, numbered(0, 2));
  const ended = Promise.withResolvers<void>();
  const follower = readLog({ path, maxFiles: 5, ended: ended.promise });
  const found: string[] = [];
  for await (const batch of follower) {
    for (const { line } of batch) found.push(Buffer.from(line).toString());
    if (found.length === 2) appendFileSync(path, numbered(2, 3));
    if (found.length === 3) {
      appendFileSync(path, numbered(3, 5));
      renameSync(path, `${path}.1`);
      writeFileSync(path, numbered(5, 6));
      renameSync(`${path}.1`, `${path}.2`);
      renameSync(path, `${path}.1`);
      writeFileSync(path, numbered(6, 7));
    }
    if (found.length === 7) {
      appendFileSync(path, numbered(7, 8));
      ended.resolve();
    }
  }
  expect(found).toEqual(expected(0, 8));
});

test("following goes on after somebody cut the file short", async () => {
  writeFileSync(path, numbered(0, 3));
  const ended = Promise.withResolvers<void>();
  const found: string[] = [];
  for await (const batch of readLog({ path, maxFiles: 1, ended: ended.promise })) {
    for (const { line } of batch) found.push(Buffer.from(line).toString());
    if (found.length === 3) {
      appendFileSync(path, '{"log":"unfini');
      truncateSync(path, 0);
      appendFileSync(path, numbered(3, 4));
    }
    if (found.length === 4) ended.resolve();
  }
  expect(found).toEqual(expected(0, 4));
});

test("a follower that is told to stop does, and closes its files", async () => {
  writeFileSync(path, numbered(0, 1));
  const before = (await readdir("/proc/self/fd")).length;
  const abort = new AbortController();
  const found: string[] = [];
  const never = Promise.withResolvers<void>();
  for await (const batch of readLog({
    path,
    maxFiles: 1,
    ended: never.promise,
    signal: abort.signal,
  })) {
    for (const { line } of batch) found.push(Buffer.from(line).toString());
    queueMicrotask(() => abort.abort());
  }
  expect(found).toEqual(["line 0\n"]);
  expect((await readdir("/proc/self/fd")).length).toBeLessThanOrEqual(before + 1);
});

test("a log made after the follower started is followed", async () => {
  const ended = Promise.withResolvers<void>();
  const follower = readLog({ path, maxFiles: 2, ended: ended.promise });
  const first = follower.next();
  writeFileSync(path, numbered(0, 1));
  expect(Buffer.from((await first).value?.[0]?.line ?? []).toString()).toBe("line 0\n");
  ended.resolve();
  expect((await follower.next()).done).toBe(true);
});
