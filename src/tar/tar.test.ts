import { expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import {
  closeSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Fault, isFault } from "#base";
import { type Random, random, rounds } from "../base/testing.ts";
import {
  encodeTarHeader,
  nameComponents,
  nameToText,
  readTar,
  type TarHeader,
  TarReader,
  TarWriter,
  textToName,
} from "./index.ts";
import { file, type Member, plain, read, write } from "./testing.ts";

function randomMember(next: Random): Member {
  const bytes = (length: number) =>
    Array.from({ length }, () => String.fromCharCode(1 + next(255))).join("");
  const types = [
    "file",
    "file",
    "directory",
    "symlink",
    "hardlink",
    "character",
    "block",
    "fifo",
  ] as const;
  const type = types[next(types.length)] ?? "file";
  const content = Buffer.from(type === "file" ? bytes(next(3000)) : "", "latin1");
  const isLink = type === "symlink" || type === "hardlink";
  const name = bytes(1 + next(next(4) === 0 ? 300 : 99)).replace(/\/+$/, "") || "x";
  const xattrs = new Map([
    [`user.${next(9)}`, Buffer.from(bytes(next(40)).replace(/^$/, "e"), "latin1")],
  ]);
  const header: TarHeader = {
    name: type === "directory" ? `${name}/` : name,
    type,
    mode: next(0o10000),
    uid: next(2) ? next(2 ** 31) : next(1000),
    gid: next(2) ? next(2 ** 31) : next(1000),
    size: content.length,
    mtime:
      BigInt(next(2 ** 31)) * (next(2) ? 1n : 1_234_567_891n) - (next(3) ? 0n : 5_000_000_000_000n),
    linkName: isLink ? bytes(1 + next(200)) : "",
    ...((type === "character" || type === "block") && {
      device: { major: next(4096), minor: next(2 ** 20) },
    }),
    ...(next(3) === 0 && { xattrs }),
    ...(next(3) === 0 && { userName: bytes(1 + next(50)) }),
  };
  return { header, content };
}

test("anything that can be written is read back the same, in chunks of any size", () => {
  for (let seed = 1; seed <= rounds(60, 2000); seed++) {
    const next = random(seed);
    const members = Array.from({ length: 1 + next(8) }, () => randomMember(next));
    const sizes = Array.from({ length: 4 }, () => 1 + next(2000));
    expect(read(write(members), sizes)).toEqual(members);
  }
});

test("a damaged archive gives a Fault or other members, never anything else", () => {
  const outcomes = new Set<string>();
  for (let seed = 1; seed <= rounds(120, 2000); seed++) {
    const next = random(seed);
    const archive = write(Array.from({ length: 3 }, () => randomMember(next)));
    for (let flips = 1 + next(4); flips > 0; flips--) {
      const at = next(archive.length);
      const block = at - (at % 512);
      archive[at] = next(256);
      // With the checksum made right again the damage gets past the front door.
      if (next(2) === 0) {
        archive.fill(0x20, block + 148, block + 156);
        let sum = 0;
        for (const byte of archive.subarray(block, block + 512)) sum += byte;
        archive.write(`${sum.toString(8).padStart(6, "0")}\0 `, block + 148, "latin1");
      }
    }
    try {
      read(next(3) === 0 ? archive.subarray(0, next(archive.length)) : archive, [1 + next(600)]);
      outcomes.add("read");
    } catch (error) {
      if (!isFault(error)) throw error;
      outcomes.add(error.code);
    }
  }
  expect([...outcomes].sort()).toEqual(["invalid", "read"]);
});

test("a sparse file is stored without its holes, and read back whole", () => {
  const ends = [
    [{ offset: 0, length: 3 }],
    [
      { offset: 1000, length: 2000 },
      { offset: 2 ** 40 - 5, length: 5 },
    ],
    [],
  ];
  for (const map of ends) {
    const name = `${"d".repeat(120)}/${"n".repeat(150)}`;
    const header: TarHeader = { ...plain, name, size: 2 ** 40, mtime: 1_500_000_000n };
    const out: Buffer[] = [];
    const writer = new TarWriter((bytes) => out.push(Buffer.from(bytes)));
    writer.sparse(header, map);
    for (const { length } of map) writer.data(Buffer.alloc(length, "x"));
    writer.entry({ ...plain, name: "next", size: 0 });
    writer.finish();
    const seen: unknown[] = [];
    const reader = new TarReader({
      entry: (each) => seen.push(each.name, each.size, each.mtime),
      data: (bytes, offset) => seen.push([offset, bytes.toString()]),
      end: () => undefined,
    });
    reader.push(Buffer.concat(out));
    reader.finish();
    const runs = map.map(({ offset, length }) => [offset, "x".repeat(length)]);
    expect(seen).toEqual([name, 2 ** 40, 1_500_000_000n, ...runs, "next", 0, plain.mtime]);
  }
});

test("an archive that ends with the last file's bytes is whole, as the docker CLI sends contexts", () => {
  const members = [file("a", "one"), file("b", "two")];
  const whole = write(members);
  for (const end of [1536 + 3, 1536 + 100, 2048]) {
    const found = read(whole.subarray(0, end));
    expect(found.map(({ content }) => content.toString())).toEqual(["one", "two"]);
  }
});

test("GNU tar lists what we write", () => {
  const long = `${"d".repeat(90)}/${"e".repeat(90)}/${"f".repeat(120)}`;
  const archive = write([
    file(long, "x", { mode: 0o4755, uid: 3_000_000, mtime: 1_700_000_000_500_000_000n }),
    {
      header: { ...plain, name: "l", type: "symlink", linkName: "t".repeat(150) },
      content: Buffer.alloc(0),
    },
    {
      header: { ...plain, name: "c", type: "character", device: { major: 5, minor: 300 } },
      content: Buffer.alloc(0),
    },
  ]);
  const listing = execFileSync("tar", ["--numeric-owner", "--full-time", "-tvf", "-"], {
    input: archive,
    env: { TZ: "UTC", LC_ALL: "C" },
  }).toString();
  expect(listing).toContain(`-rwsr-xr-x 3000000/0`);
  expect(listing).toContain(`2023-11-14 22:13:20.5 ${long}`);
  expect(listing).toContain(`l -> ${"t".repeat(150)}`);
  expect(listing).toContain("5,300");
});

test.each([
  ["gnu", ["--format=gnu"]],
  ["pax 0.0", ["--format=posix", "--sparse-version=0.0"]],
  ["pax 0.1", ["--format=posix", "--sparse-version=0.1"]],
  ["pax 1.0", ["--format=posix", "--sparse-version=1.0"]],
])("sparse files as GNU tar writes them: %s", async (_, flags) => {
  const directory = mkdtempSync(join(tmpdir(), "thimble-tar-"));
  try {
    const fd = openSync(join(directory, "s"), "w");
    const size = 16 * 65536 + 7;
    // More than the four that fit the header of GNU tar.
    for (let i = 0; i < 6; i++) writeSync(fd, `island ${i}`, i * 131072);
    ftruncateSync(fd, size);
    closeSync(fd);
    const archive = execFileSync("tar", [...flags, "-S", "-C", directory, "-cf", "-", "s"], {
      maxBuffer: 1 << 26,
    });
    expect(archive.length).toBeLessThan(size / 4);
    const whole = readFileSync(join(directory, "s"));
    for (const sizes of [[1], [511, 513], [100_000]]) {
      const [member] = read(archive, sizes);
      expect(member?.header.name).toBe("s");
      expect(member?.header.size).toBe(size);
      expect(member?.content.equals(whole)).toBe(true);
    }
    const chunks: Uint8Array[] = [];
    for await (const entry of readTar(asStream(archive))) {
      for await (const chunk of entry.body) chunks.push(chunk);
    }
    expect(Buffer.concat(chunks).equals(whole)).toBe(true);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("V7 archives, GNU long names and signed checksums", () => {
  const directory = mkdtempSync(join(tmpdir(), "thimble-tar-"));
  try {
    const name = `${"n".repeat(120)}/${"m".repeat(120)}`;
    execFileSync(
      "sh",
      [
        "-c",
        `mkdir -p ${"n".repeat(120)} short && printf hi > ${name} && printf hi > short/f && ln -s ${"t".repeat(130)} ln`,
      ],
      { cwd: directory },
    );
    const gnu = execFileSync("tar", ["--format=gnu", "-cf", "-", name, "ln"], { cwd: directory });
    expect(read(gnu, [100]).map(({ header }) => [header.name, header.linkName.length])).toEqual([
      [name, 0],
      ["ln", 130],
    ]);
    const v7 = execFileSync("tar", ["--format=v7", "-cf", "-", "short"], { cwd: directory });
    expect(read(v7).map(({ header }) => [header.name, header.type])).toEqual([
      ["short/", "directory"],
      ["short/f", "file"],
    ]);
  } finally {
    rmSync(directory, { recursive: true });
  }
  const signed = write([file("\xe9\xe9", "x")]);
  const sum = signed
    .subarray(0, 512)
    .reduce((all, byte, i) => all + (i >= 148 && i < 156 ? 0x20 : (byte << 24) >> 24), 0);
  signed.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  expect(read(signed)[0]?.header.name).toBe("\xe9\xe9");
});

async function* asStream(archive: Buffer, size = 1000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < archive.length; at += size) yield archive.subarray(at, at + size);
}

test("readTar skips unread content and closes its source when left early", async () => {
  const archive = write([file("a", "1".repeat(5000)), file("b", "2".repeat(5000)), file("c", "3")]);
  const seen: string[] = [];
  for await (const entry of readTar(asStream(archive))) {
    if (entry.name === "b") for await (const chunk of entry.body) seen.push(String(chunk.length));
    seen.push(entry.name);
  }
  expect(seen.filter((each) => /[abc]/.test(each))).toEqual(["a", "b", "c"]);
  expect(seen.filter((each) => /\d/.test(each)).reduce((sum, each) => sum + Number(each), 0)).toBe(
    5000,
  );

  let closed = false;
  const source = async function* () {
    try {
      yield* asStream(archive);
    } finally {
      closed = true;
    }
  };
  for await (const _ of readTar(source())) break;
  expect(closed).toBe(true);
});

test("names: where they lead, and bytes that are not text", () => {
  expect(nameComponents("./a//b/./c/")).toEqual(["a", "b", "c"]);
  expect(nameComponents("/a/../b")).toEqual(["b"]);
  expect(nameComponents("./")).toEqual([]);
  for (const name of ["..", "../a", "a/../../b", "/..", "a\0b", `${"x".repeat(256)}/a`]) {
    expect(() => nameComponents(name)).toThrow(Fault);
  }
  expect(nameToText(textToName("grüße"))).toBe("grüße");
  expect(textToName("ü")).toBe("\xc3\xbc");
});

test("the writer refuses a wrong length, a NUL and an attribute that cannot be said", () => {
  const writer = new TarWriter(() => undefined);
  writer.entry({ ...plain, size: 3 });
  expect(() => writer.data(Buffer.alloc(4))).toThrow("too many");
  expect(() => writer.finish()).toThrow("lacks the last 3 bytes");
  expect(() => encodeTarHeader({ ...plain, name: "a\0" })).toThrow(Fault);
  expect(() =>
    encodeTarHeader({ ...plain, xattrs: new Map([["user.a=b", Buffer.alloc(1)]]) }),
  ).toThrow(Fault);
});
