import { expect, test } from "bun:test";
import { Fault } from "#base";
import { encodeTarHeader, type TarLimits } from "./index.ts";
import { file, plain, read, write } from "./testing.ts";

interface Case {
  readonly what: string;
  readonly code: "invalid" | "exhausted";
  readonly says: string;
  readonly change: (archive: Buffer) => Buffer | undefined;
  readonly limits?: Partial<TarLimits>;
}

/** The first block with bytes changed and its checksum made right again. */
function patched(archive: Buffer, at: number, bytes: readonly number[] | string): Buffer {
  Buffer.from(bytes as string, "latin1").copy(archive, at);
  archive.fill(0x20, 148, 156);
  const sum = archive.subarray(0, 512).reduce((all, byte) => all + byte, 0);
  archive.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return archive;
}

/** A PAX header of these records before an archive. */
function pax(records: readonly string[], then: Buffer): Buffer {
  const sized = records.map((record) => {
    if (/^\d+ /.test(record)) return record;
    const guess = record.length + 2;
    return `${String(guess + 1).length + guess} ${record}\n`;
  });
  const body = Buffer.from(sized.join(""), "latin1");
  const header = patched(encodeTarHeader({ ...plain, name: "x", size: body.length }), 156, "x");
  return Buffer.concat([header, body, Buffer.alloc((512 - (body.length % 512)) % 512), then]);
}

const ones = (length: number) => Array<number>(length).fill(0xff);
const cases: readonly Case[] = [
  {
    what: "no tar at all",
    code: "invalid",
    says: "not a tar archive",
    change: () => Buffer.from("#!/bin/sh\n".repeat(100)),
  },
  {
    what: "a wrong checksum",
    code: "invalid",
    says: "member 2 at byte 1024: its checksum",
    change: (a) => a.fill(0x30, 1174, 1177),
  },
  {
    what: "a cut in a header",
    code: "invalid",
    says: "member 2 at byte 1024: the archive is cut off",
    change: (a) => a.subarray(0, 1100),
  },
  {
    what: "a cut in the content",
    code: "invalid",
    says: '("dir/second") at byte 1024: the archive is cut off',
    change: (a) => a.subarray(0, 1636),
  },
  {
    what: "an unknown type",
    code: "invalid",
    says: 'type "Z"',
    change: (a) => patched(a, 156, "Z"),
  },
  {
    what: "a negative size",
    code: "invalid",
    says: "size (-1) is out of range",
    change: (a) => patched(a, 124, ones(12)),
  },
  {
    what: "a size of 2^80",
    code: "invalid",
    says: "out of range",
    change: (a) => patched(a, 124, [0x80, 1, ...Array<number>(10).fill(0)]),
  },
  {
    what: "a size that is not a number",
    code: "invalid",
    says: "size is not a number",
    change: (a) => patched(a, 124, "12x"),
  },
  {
    what: "a negative uid",
    code: "invalid",
    says: "uid is out of range",
    change: (a) => patched(a, 108, ones(8)),
  },
  {
    what: "an empty name",
    code: "invalid",
    says: "name is empty",
    change: (a) => patched(a, 0, Array<number>(100).fill(0)),
  },
  {
    what: "a device out of range",
    code: "invalid",
    says: "device number",
    change: (a) => patched(patched(a, 156, "3"), 329, "7777777"),
  },
  {
    what: "a lone block of zeros",
    code: "invalid",
    says: "lone block",
    change: (a) => Buffer.concat([Buffer.alloc(512), a]),
  },
  {
    what: "files too large together",
    code: "exhausted",
    says: "more than 600 bytes",
    change: (a) => a,
    limits: { totalBytes: 600 },
  },
  {
    what: "too many members",
    code: "exhausted",
    says: "more than 1 members",
    change: (a) => a,
    limits: { entries: 1 },
  },
  {
    what: "a long name",
    code: "exhausted",
    says: "longer than 6 bytes",
    change: (a) => a,
    limits: { nameBytes: 6 },
  },
  {
    what: "a PAX bomb",
    code: "exhausted",
    says: "extended header has",
    change: (a) => pax(["x".repeat(5000)], a),
    limits: { metadataBytes: 4096 },
  },
  {
    what: "PAX without a length",
    code: "invalid",
    says: "malformed",
    change: (a) => pax(["0 path=x\n"], a),
  },
  {
    what: "PAX with a wrong length",
    code: "invalid",
    says: "malformed",
    change: (a) => pax(["99 path=x\n"], a),
  },
  { what: "PAX without a key", code: "invalid", says: "malformed", change: (a) => pax(["=x"], a) },
  {
    what: "PAX with a negative size",
    code: "invalid",
    says: "out of range",
    change: (a) => pax(["size=-1"], a),
  },
  {
    what: "PAX with a size beyond 2^53",
    code: "invalid",
    says: "out of range",
    change: (a) => pax(["size=9999999999999999999"], a),
  },
  {
    what: "PAX with nonsense as time",
    code: "invalid",
    says: "time is not a number",
    change: (a) => pax(["mtime=1e5"], a),
  },
  {
    what: "PAX with a NUL in the name",
    code: "invalid",
    says: "NUL",
    change: (a) => pax(["path=a\0b"], a),
  },
  {
    what: "PAX at the end",
    code: "invalid",
    says: "cut off",
    change: () => pax(["path=x"], Buffer.alloc(0)),
  },
  {
    what: "an odd sparse map",
    code: "invalid",
    says: "sparse",
    change: (a) => pax(["GNU.sparse.size=20", "GNU.sparse.map=0,1,0"], a),
  },
  {
    what: "an overlapping sparse map",
    code: "invalid",
    says: "sparse",
    change: (a) => pax(["GNU.sparse.size=20", "GNU.sparse.map=5,1,5,0"], a),
  },
  {
    what: "a sparse map beyond the file",
    code: "invalid",
    says: "sparse",
    change: (a) => pax(["GNU.sparse.size=2", "GNU.sparse.map=5,1"], a),
  },
  {
    what: "an inline sparse map that never ends",
    code: "invalid",
    says: "sparse",
    change: (a) => pax(["GNU.sparse.major=1", "GNU.sparse.minor=0", "GNU.sparse.realsize=9"], a),
  },
  {
    what: "an unknown sparse format",
    code: "invalid",
    says: "sparse",
    change: (a) => pax(["GNU.sparse.major=9"], a),
  },
];

test.each(cases)("$what is $code: $says", ({ code, says, change, limits }) => {
  const archive = change(write([file("first", "x"), file("dir/second", "y".repeat(600))]));
  let caught: unknown;
  try {
    read(archive ?? Buffer.alloc(0), [700], limits);
  } catch (error) {
    caught = error;
  }
  expect(caught).toBeInstanceOf(Fault);
  expect((caught as Fault).message).toContain(says);
  expect((caught as Fault).code).toBe(code);
});

test("times beyond those of a file system are clamped, not refused", () => {
  const time = (text: string) =>
    read(pax([`mtime=${text}`], write([file("a", "")])))[0]?.header.mtime;
  expect(time("99999999999999999999.5")).toBe(2n ** 63n - 1n);
  expect(time("-99999999999999999999")).toBe(1n - 2n ** 63n);
  expect(time("-1.5")).toBe(-1_500_000_000n);
  expect(time("1.0000000019")).toBe(1_000_000_001n);
});

test("a file that claims 2^50 bytes is refused before a byte of it is read", () => {
  const archive = encodeTarHeader({ ...plain, name: "big", size: 2 ** 50 });
  expect(() => read(archive)).toThrow("more than 1099511627776 bytes");
});

test("bytes after the end mark are ignored", () => {
  const archive = Buffer.concat([write([file("a", "x")]), Buffer.from("garbage".repeat(1000))]);
  expect(read(archive, [333]).map(({ header }) => header.name)).toEqual(["a"]);
});
