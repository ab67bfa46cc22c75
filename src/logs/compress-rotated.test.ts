import { afterEach, beforeEach, expect, test } from "bun:test";
import {
  appendFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { gunzipSync } from "node:zlib";
import { formatTime } from "#base";
import { compressRotated, replaceRotated } from "./compress-rotated.ts";
import { type ReadLogOptions, readLog } from "./read-log.ts";

const maxFiles = 5;
let directory = "";
let path = "";

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "thimble-logs-"));
  path = join(directory, "x-json.log");
});
afterEach(() => rmSync(directory, { recursive: true }));

function numbered(from: number, to: number): string {
  let text = "";
  for (let i = from; i < to; i++) {
    const time = formatTime(1_700_000_000_000_000_000n + BigInt(i));
    text += `${JSON.stringify({ log: `line ${i}\n`, stream: "stdout", time })}\n`;
  }
  return text;
}

const expected = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => `line ${from + i}\n`);

async function read(options: Partial<ReadLogOptions> = {}): Promise<string[]> {
  const found: string[] = [];
  for await (const batch of readLog({ path, maxFiles, ...options })) {
    for (const { line } of batch) found.push(Buffer.from(line).toString());
  }
  return found;
}

/** As the engine does it once the monitor has gone. */
async function compress(replace?: (inode: bigint) => boolean): Promise<void> {
  await compressRotated({
    ...{ path, maxFiles, signal: new AbortController().signal },
    replace: replace ?? ((inode) => replaceRotated(path, maxFiles, inode)),
  });
}

/** As a monitor does it. */
function rotate(): void {
  for (let index = maxFiles - 1; index-- > 1; ) {
    for (const suffix of ["", ".gz"]) {
      const from = `${path}.${index}${suffix}`;
      if (existsSync(from)) renameSync(from, `${path}.${index + 1}${suffix}`);
    }
  }
  renameSync(path, `${path}.1`);
}

const names = () =>
  readdirSync(directory)
    .map((name) => name.slice(basename(path).length))
    .sort();

function writeThree(): void {
  writeFileSync(`${path}.2`, numbered(0, 2000));
  writeFileSync(`${path}.1`, numbered(2000, 4000));
  writeFileSync(path, numbered(4000, 4003));
}

test("rotated files become gzip that any reader takes, with the bytes that they had", async () => {
  writeThree();
  await compress();
  expect(names()).toEqual(["", ".1.gz", ".2.gz"]);
  expect(gunzipSync(readFileSync(`${path}.2.gz`)).toString()).toBe(numbered(0, 2000));
  expect(Bun.spawnSync(["gzip", "-dc", `${path}.1.gz`]).stdout.toString()).toBe(
    numbered(2000, 4000),
  );
  expect(statSync(`${path}.1.gz`).mode & 0o777).toBe(0o600);
});

test.each([0, 1, 3, 4, 1999, 2003, 2004, 4002, 4003, 9999])("the last %d records", async (tail) => {
  writeThree();
  await compress();
  expect(await read({ tail })).toEqual(expected(Math.max(0, 4003 - tail), 4003));
});

test("a file whose compression was killed is read once, and the next compression finishes it", async () => {
  writeThree();
  // Killed between the two steps of the exchange, and in the middle of the next file.
  await compress((inode) => {
    if (statSync(`${path}.2`, { bigint: true }).ino !== inode) return false;
    writeFileSync(`${path}.2.gz`, readFileSync(`${path}.gz`));
    return true;
  });
  writeFileSync(`${path}.gz`, "half a file");
  expect(names()).toEqual(["", ".1", ".2", ".2.gz", ".gz"]);
  expect(await read()).toEqual(expected(0, 4003));
  rotate();
  writeFileSync(path, numbered(4003, 4004));
  expect(await read()).toEqual(expected(0, 4004));
  await compress();
  expect(names()).toEqual(["", ".1.gz", ".2.gz", ".3.gz"]);
  expect(await read()).toEqual(expected(0, 4004));
});

test("a file that is gone when it is compressed leaves nothing", async () => {
  writeThree();
  await compress(() => false);
  expect(names()).toEqual(["", ".1", ".2"]);
  rmSync(directory, { recursive: true });
  await compress();
  mkdirSync(directory);
});

test("a compression that is told to stop leaves the plain file", async () => {
  writeThree();
  const abort = new AbortController();
  const replace = (inode: bigint) => {
    abort.abort();
    return replaceRotated(path, maxFiles, inode);
  };
  const work = compressRotated({ path, maxFiles, replace, signal: abort.signal });
  expect(await work.catch((error: Error) => error.name)).toBe("AbortError");
  expect(names()).toEqual(["", ".1", ".2.gz"]);
  expect(await read()).toEqual(expected(0, 4003));
});

test("damaged records are passed over", async () => {
  writeThree();
  await compress();
  truncateSync(`${path}.2.gz`, 20);
  writeFileSync(`${path}.3.gz`, "not gzip");
  const bytes = readFileSync(`${path}.1.gz`);
  truncateSync(`${path}.1.gz`, bytes.byteLength - 9);
  const found = await read();
  expect(found.slice(-3)).toEqual(expected(4000, 4003));
  expect(await read({ tail: 3 })).toEqual(expected(4000, 4003));
});

test("a follower reads on while files are rotated and compressed behind and before it", async () => {
  writeFileSync(path, numbered(0, 2));
  const ended = Promise.withResolvers<void>();
  const found: string[] = [];
  for await (const batch of readLog({ path, maxFiles, ended: ended.promise })) {
    for (const { line } of batch) found.push(Buffer.from(line).toString());
    if (found.length === 2) {
      appendFileSync(path, numbered(2, 5));
      rotate();
      writeFileSync(path, numbered(5, 6));
      rotate();
      writeFileSync(path, numbered(6, 7));
      await compress();
      expect(names()).toEqual(["", ".1.gz", ".2.gz"]);
    }
    if (found.length === 7) {
      rotate();
      await compress();
      writeFileSync(path, numbered(7, 8));
      rotate();
      await compress();
      ended.resolve();
    }
  }
  expect(found).toEqual(expected(0, 8));
});

test("a file that is met in two places is read once", async () => {
  writeFileSync(path, numbered(4, 5));
  writeFileSync(`${path}.2`, numbered(0, 2));
  linkSync(`${path}.2`, `${path}.3`);
  expect(await read()).toEqual([...expected(0, 2), ...expected(4, 5)]);
  // As a rotation that was killed has left it: the plain file has moved on, its compressed form has not.
  writeFileSync(`${path}.1`, numbered(2, 4));
  await compress((inode) => {
    if (statSync(`${path}.1`, { bigint: true }).ino !== inode) return false;
    writeFileSync(`${path}.1.gz`, readFileSync(`${path}.gz`));
    return true;
  });
  rmSync(`${path}.3`);
  renameSync(`${path}.2`, `${path}.3`);
  renameSync(`${path}.1`, `${path}.2`);
  expect(await read()).toEqual(expected(0, 5));
});

test("a follower at the end of a compressed file waits for the next one", async () => {
  writeFileSync(`${path}.1`, numbered(0, 500));
  await compress();
  const ended = Promise.withResolvers<void>();
  const found: string[] = [];
  for await (const batch of readLog({ path, maxFiles, ended: ended.promise })) {
    for (const { line } of batch) found.push(Buffer.from(line).toString());
    if (found.length === 500) writeFileSync(path, numbered(500, 501));
    if (found.length >= 501) ended.resolve();
  }
  expect(found).toEqual(expected(0, 501));
});

test("an inode that a compressed file once had is no reason to pass over the file that has it now", async () => {
  writeFileSync(`${path}.1`, numbered(0, 3));
  await compress();
  writeFileSync(path, numbered(3, 5));
  const header = readFileSync(`${path}.1.gz`);
  header.writeBigUInt64LE(statSync(path, { bigint: true }).ino, 16);
  writeFileSync(`${path}.1.gz`, header);
  expect(await read()).toEqual(expected(0, 5));
});
