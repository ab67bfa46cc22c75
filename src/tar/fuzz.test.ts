import { expect, test } from "bun:test";
import { Fault } from "#base";
import { type Random as Next, random, rounds } from "../base/testing.ts";
import { checksums, places, writeOctal } from "./field.ts";
import { type TarHeader, type TarLimits, TarReader } from "./index.ts";

const limits: TarLimits = { entries: 30, nameBytes: 300, metadataBytes: 4096, totalBytes: 2 ** 40 };

/** What a reader told, and how it ended. */
interface Story {
  readonly events: readonly string[];
  readonly end: string;
}

/** Reads in chunks of the sizes that `cut` gives, and checks what a sink may rely on. */
function tell(archive: Buffer, cut: () => number): Story {
  const events: string[] = [];
  let current: TarHeader | undefined;
  let filled = 0;
  let passed = 0;
  const reader = new TarReader(
    {
      entry: (header) => {
        expect(current).toBeUndefined();
        expect(header.name.length).toBeLessThanOrEqual(limits.nameBytes);
        expect(Number.isSafeInteger(header.size) && header.size >= 0).toBe(true);
        current = header;
        filled = 0;
        events.push(JSON.stringify({ ...header, mtime: String(header.mtime) }));
      },
      data: (bytes, offset) => {
        expect(bytes.length).toBeGreaterThan(0);
        expect(offset).toBeGreaterThanOrEqual(filled);
        filled = offset + bytes.length;
        expect(filled).toBeLessThanOrEqual(current?.size ?? -1);
        passed += bytes.length;
        // Chunks cut data anywhere; what is where must not depend on that.
        for (const [i, byte] of bytes.entries()) {
          if ((offset + i) % 64 === 0) events.push(`${offset + i}:${byte}`);
        }
      },
      end: () => {
        expect(current).toBeDefined();
        current = undefined;
        events.push("end");
      },
    },
    limits,
  );
  let end = "whole";
  try {
    for (let at = 0; at < archive.length; ) {
      const chunk = Buffer.from(archive.subarray(at, at + cut()));
      reader.push(chunk);
      at += chunk.length;
      chunk.fill(0xaa);
    }
    reader.finish();
  } catch (error) {
    if (!(error instanceof Fault) || !["invalid", "exhausted"].includes(error.code)) throw error;
    expect(error.message).toContain("tar archive, member");
    end = `${error.code}: ${error.message}`;
  }
  expect(passed).toBeLessThanOrEqual(archive.length);
  return { events, end };
}

function pick<T>(next: Next, list: readonly T[]): T {
  return list[next(list.length)] as T;
}

const numbers = ["0", "1", "5", "511", "512", "513", "4096", "-1", "1e9", "9007199254740993", ""];
const keys = [
  ...["path", "linkpath", "size", "uid", "gid", "mtime", "uname", "SCHILY.xattr.user.a"],
  ...["GNU.sparse.major", "GNU.sparse.minor", "GNU.sparse.name", "GNU.sparse.realsize"],
  ...["GNU.sparse.size", "GNU.sparse.map", "GNU.sparse.offset", "GNU.sparse.numbytes"],
];

function paxBody(next: Next): Buffer {
  const records = Array.from({ length: next(6) }, () => {
    const key = pick(next, keys);
    const list = () => Array.from({ length: next(5) }, () => pick(next, numbers)).join(",");
    const value = key.endsWith("map") ? list() : pick(next, [...numbers, "1", "0", "a/b", "\0"]);
    const rest = ` ${key}=${value}\n`;
    const length = rest.length + String(rest.length + 2).length;
    return `${next(12) === 0 ? next(200) : length}${rest}`;
  });
  return Buffer.from(records.join(""), "latin1");
}

function content(next: Next): Buffer {
  const kind = next(4);
  if (kind === 0) return paxBody(next);
  // The map of a sparse file of format 1.0.
  if (kind === 1) {
    const lines = Array.from({ length: 1 + next(6) }, () => pick(next, numbers));
    return Buffer.concat([Buffer.from(`${lines.join("\n")}\n`), Buffer.alloc(next(900), "m")]);
  }
  return Buffer.alloc(next(kind === 2 ? 1400 : 3), "c");
}

/** A block with fields that are likely, and some that are not, under a right checksum. */
function member(next: Next): Buffer {
  const body = content(next);
  const block = Buffer.alloc(512);
  block.write(pick(next, ["a", "dir/", "x".repeat(100), "\xff", ""]), 0, "latin1");
  for (const place of [places.mode, places.uid, places.gid]) writeOctal(block, place, next(4096));
  writeOctal(block, places.size, next(8) === 0 ? next(3000) : body.length);
  writeOctal(block, places.mtime, next(2 ** 31));
  block.write(pick(next, [..."0012345677SSxxxxLKgX\0Z"]), places.type.offset, "latin1");
  block.write(pick(next, ["b", "", "y".repeat(100)]), places.linkName.offset, "latin1");
  block.write(pick(next, ["ustar\x0000", "ustar  \0", ""]), places.magic.offset, "latin1");
  if (next(3) === 0) for (let i = 345; i < 512; i++) block[i] = pick(next, [0, 0x30, 0x31, 0x80]);
  for (let i = next(6) === 0 ? next(5) : 0; i > 0; i--) block[next(512)] = next(256);
  const sum = checksums(block).unsigned;
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, places.checksum.offset, "latin1");
  if (next(40) === 0) block[next(512)] = next(256);
  const padding = next(30) === 0 ? next(512) : (512 - (body.length % 512)) % 512;
  return Buffer.concat([block, body, Buffer.alloc(padding)]);
}

function archive(next: Next): Buffer {
  const members = Array.from({ length: 1 + next(6) }, () => member(next));
  const whole = Buffer.concat([...members, Buffer.alloc(next(4) * 512)]);
  return next(6) === 0 ? whole.subarray(0, next(whole.length + 1)) : whole;
}

test("whatever an archive holds, the reader keeps its promises, and chunks change nothing", () => {
  const ends = new Map<string, number>();
  for (let seed = 1; seed <= rounds(400, 4000); seed++) {
    const next = random(seed);
    const bytes = archive(next);
    const whole = tell(bytes, () => bytes.length);
    const cut = tell(bytes, () => 1 + next(700));
    expect([seed, cut]).toEqual([seed, whole]);
    const kind = whole.end.split(":")[0] ?? "";
    ends.set(kind, (ends.get(kind) ?? 0) + 1);
  }
  for (const kind of ["whole", "invalid", "exhausted"]) {
    expect([kind, (ends.get(kind) ?? 0) > 4]).toEqual([kind, true]);
  }
});
