import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defined } from "#base";
import { type TarHeader, TarWriter } from "#tar";
import { outcome, rejection, rounds } from "../base/testing.ts";
import { readElf } from "./elf.ts";
import { makeScratch } from "./scratch.ts";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "thimble-scratch-"));
});

afterEach(() => rmSync(directory, { recursive: true }));

interface ElfParts {
  readonly loader?: string;
  readonly libraries?: readonly string[];
  readonly bits?: 32 | 64;
  readonly little?: boolean;
}

/** The least of a program that has these needs: header, program headers, dynamic section, strings. */
function elf({ loader, libraries = [], bits = 64, little = true }: ElfParts = {}): Buffer {
  const wide = bits === 64;
  const bytes = Buffer.alloc(4096);
  const word = (at: number, value: number) => {
    if (!wide) half4(at, value);
    else if (little) bytes.writeBigUInt64LE(BigInt(value), at);
    else bytes.writeBigUInt64BE(BigInt(value), at);
  };
  const half4 = (at: number, value: number) =>
    little ? bytes.writeUInt32LE(value, at) : bytes.writeUInt32BE(value, at);
  const half2 = (at: number, value: number) =>
    little ? bytes.writeUInt16LE(value, at) : bytes.writeUInt16BE(value, at);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, little ? 1 : 2, 1]);
  half2(16, 3);
  const headers = wide ? 64 : 52;
  const each = wide ? 56 : 32;
  word(wide ? 32 : 28, headers);
  half2(wide ? 54 : 42, each);
  const base = 0x10000;
  const segments: [type: number, offset: number, size: number][] = [[1, 0, 4096]];
  const strings = 2048;
  let next = strings + 1;
  const string = (text: string) => {
    const at = next;
    bytes.write(text, at);
    next += text.length + 1;
    return at - strings;
  };
  if (loader !== undefined) segments.push([3, strings + string(loader), loader.length + 1]);
  if (libraries.length > 0) {
    const step = wide ? 8 : 4;
    const entries = [...libraries.map((name) => [1, string(name)]), [5, base + strings], [0, 0]];
    for (const [index, [tag = 0, value = 0]] of entries.entries()) {
      word(1024 + index * 2 * step, tag);
      word(1024 + (index * 2 + 1) * step, value);
    }
    segments.push([2, 1024, entries.length * 2 * step]);
  }
  half2(wide ? 56 : 44, segments.length);
  for (const [index, [type, offset, size]] of segments.entries()) {
    const at = headers + index * each;
    half4(at, type);
    word(at + (wide ? 8 : 4), offset);
    word(at + (wide ? 16 : 8), base + offset);
    word(at + (wide ? 32 : 16), size);
  }
  return bytes;
}

async function needs(bytes: Uint8Array) {
  const path = join(directory, "elf");
  writeFileSync(path, bytes);
  await using file = await open(path, "r");
  return await readElf(file, "/elf");
}

describe("readElf", () => {
  test("loader and libraries in both classes and byte orders", async () => {
    for (const bits of [32, 64] as const)
      for (const little of [true, false]) {
        const parts = { loader: "/lib/ld.so", libraries: ["libc.so.6", "libm.so.6"] };
        expect(await needs(elf({ ...parts, bits, little }))).toMatchObject(parts);
      }
  });

  test("a static program needs nothing; other files are not programs", async () => {
    expect(await needs(elf())).toEqual({ machine: 0, libraries: [], searchPaths: [] });
    expect(await needs(Buffer.from("#!/bin/sh\n"))).toBeUndefined();
    expect(await needs(Buffer.alloc(0))).toBeUndefined();
    const object = elf();
    object.writeUInt16LE(1, 16);
    expect(await needs(object)).toBeUndefined();
  });

  test("the program that runs this test is dynamic", async () => {
    await using file = await open(process.execPath, "r");
    expect((await readElf(file, process.execPath))?.libraries).toContain("libc.so.6");
  });

  test("damage is a Fault, whatever byte it is in", async () => {
    const whole = elf({ loader: "/lib/ld.so", libraries: ["libc.so.6"] });
    const path = join(directory, "damaged");
    writeFileSync(path, whole);
    await using file = await open(path, "r+");
    for (let at = 4; at < 64 + 3 * 56; at += rounds(3, 1)) {
      for (const value of [0, 0x7f, 0xff]) {
        await file.write(Buffer.of(value), 0, 1, at);
        const outcome = await readElf(file, "/elf").catch((error: unknown) => error);
        if (outcome instanceof Error)
          expect(outcome).toMatchObject({ name: "Fault", code: "invalid" });
      }
      await file.write(whole, at, 1, at);
    }
    expect(await outcome(needs(whole.subarray(0, 100)))).toThrow("cut short");
    expect(await outcome(needs(whole.subarray(0, 30)))).toThrow("ends within its header");
  });
});

const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };

type Member = Partial<TarHeader> & {
  readonly name: string;
  readonly content?: Uint8Array | string;
};

async function* tarOf(members: readonly Member[]): AsyncGenerator<Uint8Array> {
  const chunks: Uint8Array[] = [];
  const tar = new TarWriter((bytes) => chunks.push(bytes));
  for (const { content = "", ...header } of members) {
    const bytes = Buffer.from(content);
    const type = header.type ?? "file";
    const size = type === "file" ? bytes.byteLength : 0;
    tar.entry(
      { mode: 0o755, mtime: 0n, linkName: "", ...owner, ...header, type, size },
      type === "file" ? bytes : undefined,
    );
  }
  tar.finish();
  yield* chunks;
}

const make = (members: readonly Member[], cmd?: readonly string[]) =>
  makeScratch({ files: tarOf(members), workDir: directory, ...defined({ cmd }) });

async function refusal(members: readonly Member[]): Promise<string> {
  const error: unknown = await make(members).catch((reason: unknown) => reason);
  expect(readdirSync(directory)).toEqual([]);
  expect(error).toMatchObject({ name: "Fault" });
  return error instanceof Error ? error.message : "";
}

describe("makeScratch", () => {
  test("a static program, run by default", async () => {
    const tree = await make([
      { name: "etc/motd", content: "hello", mode: 0o644 },
      { name: "bin/server", content: elf(), mode: 0o4755, mtime: 1_600_000_000_000_000_000n },
      { name: "bin/other", content: elf() },
    ]);
    expect(tree.config.cmd).toEqual(["/bin/server"]);
    const found = lstatSync(join(tree.directory, "bin/server"));
    expect(found.mode & 0o7777).toBe(0o4755);
    expect(found.mtimeMs).toBe(1_600_000_000_000);
    expect(readFileSync(join(tree.directory, "etc/motd"), "utf8")).toBe("hello");
  });

  test("another command", async () => {
    const tree = await make([{ name: "a", content: elf() }], ["/a", "--serve"]);
    expect(tree.config.cmd).toEqual(["/a", "--serve"]);
  });

  test("a dynamic program names the files that are missing", async () => {
    const program = elf({ loader: "/lib64/ld.so", libraries: ["libc.so.6", "libm.so.6"] });
    expect(await refusal([{ name: "app", content: program }])).toContain(
      "/app is dynamically linked and lacks the loader /lib64/ld.so and the libraries libc.so.6, libm.so.6",
    );
    const [, ...lines] = (
      await refusal([
        { name: "app", content: program },
        { name: "lib64/ld.so", content: elf() },
        { name: "usr/lib/libm.so.6", content: elf({ libraries: ["libx.so"] }) },
      ])
    ).split("\n");
    expect(lines.slice(0, 2)).toEqual([
      "  /app is dynamically linked and lacks the library libc.so.6",
      "  /usr/lib/libm.so.6 is dynamically linked and lacks the library libx.so",
    ]);
  });

  test("one whose loader and libraries are there is fine, also by links", async () => {
    await make([
      { name: "app", content: elf({ loader: "/lib64/ld.so", libraries: ["libc.so.6"] }) },
      { name: "usr/lib/ld-2.so", content: elf() },
      { name: "usr/lib/ld.so", type: "symlink", linkName: "ld-2.so" },
      { name: "lib64", type: "symlink", linkName: "/usr/lib" },
      { name: "usr/lib/libc.so.6", content: elf() },
    ]);
  });

  test("scripts need their interpreter, if they can be run", async () => {
    const script = { name: "run", content: "#! /bin/sh -e\n" };
    expect(await refusal([script])).toContain("/run is a script for /bin/sh, which is missing");
    await make([
      { ...script, mode: 0o644 },
      { name: "bin/sh", content: elf() },
    ]);
  });

  test("nothing at all, devices, attributes, damaged archives", async () => {
    expect(await refusal([])).toContain("name at least one file");
    const device = { device: { major: 1, minor: 3 } };
    expect(await refusal([{ name: "null", type: "character", ...device }])).toContain("character");
    const xattrs = new Map([["security.capability", Buffer.from("x")]]);
    expect(await refusal([{ name: "ping", content: elf(), xattrs }])).toContain(
      "security.capability",
    );
    async function* noise() {
      yield Buffer.alloc(1024, 7);
    }
    expect(await rejection(makeScratch({ files: noise(), workDir: directory }))).toMatchObject({
      name: "Fault",
    });
    expect(readdirSync(directory)).toEqual([]);
  });

  test("nothing is written outside of the tree", async () => {
    expect(await refusal([{ name: "../out", content: "x" }])).toContain("leads out");
    await make([
      { name: "up", type: "symlink", linkName: "../../../outside" },
      { name: "up/escape", content: "x" },
      { name: "absolute", type: "symlink", linkName: "/" },
      { name: "absolute/escape", content: "x" },
      { name: "absolute/escape", content: "y" },
    ]);
    expect(readFileSync(join(directory, "root/escape"), "utf8")).toBe("y");
    expect(readFileSync(join(directory, "root/outside/escape"), "utf8")).toBe("x");
    rmSync(join(directory, "root"), { recursive: true });
    expect(
      await refusal([
        { name: "loop", type: "symlink", linkName: "loop" },
        { name: "loop/x", content: "x" },
      ]),
    ).toContain("too many symbolic links");
    const zigzag = (to: string) => "d/../".repeat(800) + to;
    expect(
      await refusal([
        { name: "d/file", content: "" },
        ...Array.from({ length: 6 }, (_, n) => ({
          ...{ name: `l${n}`, type: "symlink" as const, linkName: zigzag(`l${n + 1}`) },
        })),
        { name: "l0/x", content: "x" },
      ]),
    ).toContain("too many symbolic links");
    expect(await refusal([{ name: "a" }, { name: "a/b", content: "x" }])).toContain("file where");
    expect(
      await refusal([{ name: "passwd", type: "hardlink", linkName: "../../etc/passwd" }]),
    ).toContain("leads out");
  });
});
