import { afterAll, beforeEach, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { createHash, randomUUID } from "node:crypto";
import {
  appendFileSync,
  closeSync,
  existsSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { gunzipSync, gzipSync, zstdCompressSync } from "node:zlib";
import { collect, Fault } from "#base";
import { sha256 } from "#image";
import { fstatat, getXattr, O_DIRECTORY, openat2 } from "#kernel";
import {
  diffLayer,
  explodeArchive,
  packBlob,
  packTree,
  receiveLayer,
  recompressBlob,
  settleImplied,
} from "#layer";
import { random, rounds } from "../../src/base/testing.ts";
import {
  describeTree,
  streamOf,
  type TarMember,
  tarOf,
  temporaryDirectory,
} from "../support/tree.ts";

const scratch = temporaryDirectory("layer");
const target = join(scratch.path, "target");
const outside = join(scratch.path, "outside");
afterAll(() => scratch[Symbol.dispose]());
beforeEach(() => {
  for (const path of [target, outside]) {
    rmSync(path, { recursive: true, force: true });
    mkdirSync(path);
  }
  writeFileSync(join(outside, "precious"), "untouched");
});

const apply = (members: readonly TarMember[] | Buffer, more: object = {}) =>
  receiveLayer({
    source: { stream: streamOf(Buffer.isBuffer(members) ? members : tarOf(members), 5000) },
    target,
    ...more,
  });

async function fault(work: Promise<unknown>): Promise<Fault> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof Fault) return error;
  throw new Error(`no fault but ${String(error)}`);
}

const everything: readonly TarMember[] = [
  { name: "./", type: "directory", mode: 0o751, mtime: 1_111_111_111_000_000_001n },
  {
    name: "bin/",
    type: "directory",
    mode: 0o1777,
    uid: 7,
    gid: 8,
    mtime: 1_234_567_890_123_456_789n,
  },
  {
    name: "bin/su",
    content: "suid",
    mode: 0o4755,
    uid: 1,
    gid: 2,
    mtime: 1_600_000_000_000_000_123n,
  },
  {
    name: "bin/cap",
    content: "cap",
    mode: 0o755,
    uid: 3,
    xattrs: new Map([
      ["security.capability", Buffer.from("0100000200040000000000000000000000000000", "hex")],
      ["user.note", Buffer.from("x")],
    ]),
  },
  { name: "bin/again", type: "hardlink", linkName: "./bin/su" },
  {
    name: "bin/link",
    type: "symlink",
    linkName: "/etc/passwd",
    uid: 9,
    gid: 9,
    mtime: 5_000_000_001n,
  },
  { name: "dev/null", type: "character", device: { major: 1, minor: 3 }, mode: 0o666 },
  { name: "dev/loop", type: "block", device: { major: 7, minor: 300 }, mode: 0o660, gid: 6 },
  { name: "run/fifo", type: "fifo", mode: 0o600 },
  { name: "n\xff\xe9", content: "no text", mtime: -1_500_000_000n },
  { name: `${"d".repeat(200)}/${"e".repeat(200)}`, content: "long" },
  { name: "empty", content: "" },
];

test("a layer is unpacked with all it says, from any compression, and its diff id is told", async () => {
  const plain = tarOf(everything);
  const digest = `sha256:${createHash("sha256").update(plain).digest("hex")}`;
  const seen: string[][] = [];
  for (const bytes of [plain, gzipSync(plain), zstdCompressSync(plain)]) {
    rmSync(target, { recursive: true });
    mkdirSync(target);
    const result = await apply(bytes);
    expect(result as object).toMatchObject({
      diffId: digest,
      size: 18,
      entries: 12,
      tarSize: plain.length,
    });
    const tree = describeTree(target).map((line) => line.replace(/^(\/(dev|run|d{200})) .*/, "$1"));
    seen.push(tree);
  }
  expect(seen[1]).toEqual(seen[0] as string[]);
  expect(seen[2]).toEqual(seen[0] as string[]);
  expect(seen[0]?.slice(0, 5)).toEqual([
    "/ 40751 0:0 1111111111000000001 ",
    "/bin 41777 7:8 1234567890123456789 ",
    '/bin/again 104755 1:2 1600000000000000123 "suid"4',
    '/bin/cap 100755 3:0 1000000000 "cap"3 security.capability=0100000200040000000000000000000000000000 user.note=78',
    "/bin/link 120777 9:9 5000000001 -> /etc/passwd",
  ]);
  expect(seen[0]?.join("\n")).toContain("/dev/loop 60660 0:6 1000000000 7:300");
  expect(seen[0]?.join("\n")).toContain("/run/fifo 10600 0:0 1000000000");
  expect(readdirSync(target, { encoding: "latin1" })).toContain("n\xff\xe9");
  expect(lstatSync(join(target, "bin/su")).ino).toBe(lstatSync(join(target, "bin/again")).ino);
});

test("packing an unpacked layer gives the same tree again, the same bytes each time", async () => {
  await apply(everything);
  const first = await collect(packTree(target, { includeRoot: true }), 1 << 24, "tar");
  const second = await collect(packTree(target, { includeRoot: true }), 1 << 24, "tar");
  expect(first.equals(second)).toBe(true);
  const copy = join(scratch.path, "copy");
  mkdirSync(copy);
  await receiveLayer({ source: { stream: streamOf(first) }, target: copy });
  expect(describeTree(copy)).toEqual(describeTree(target));
  rmSync(copy, { recursive: true });
});

test("GNU tar agrees about a real tree", async () => {
  mkdirSync(join(target, "t"));
  execFileSync("cp", ["-a", "/etc", join(target, "t")]);
  const blob = join(scratch.path, "gnu.tar");
  execFileSync("tar", ["--xattrs", "-C", target, "-cf", blob, "t"]);
  rmSync(join(target, "t"), { recursive: true });
  await receiveLayer({ source: { path: blob }, target });
  execFileSync("tar", ["-C", target, "-df", blob]);
  const ours = join(scratch.path, "ours.tar");
  await packBlob({
    directory: target,
    mode: "tree",
    includeRoot: false,
    blob: { path: ours, compression: { format: "gzip" } },
  });
  execFileSync("tar", ["-C", target, "-dzf", ours]);
});

/** What each must not reach: the directory beside the target. */
test.each<[string, readonly TarMember[], string]>([
  ["a name with ..", [{ name: "../outside/precious", content: "x" }], "leads out"],
  ["a name with .. further in", [{ name: "a/../../outside/precious", content: "x" }], "leads out"],
  [
    "a hard link to outside",
    [{ name: "l", type: "hardlink", linkName: "../outside/precious" }],
    "leads out",
  ],
  [
    "a hard link to the host",
    [{ name: "l", type: "hardlink", linkName: "/etc/passwd" }],
    "which the archive has not made",
  ],
  [
    "a hard link to a directory",
    [
      { name: "d/", type: "directory" },
      { name: "l", type: "hardlink", linkName: "d" },
    ],
    "hard link",
  ],
  [
    "a hard link through a link",
    [
      { name: "s", type: "symlink", linkName: "../outside" },
      { name: "l", type: "hardlink", linkName: "s/precious" },
    ],
    "hard link",
  ],
  ["a file that is the root", [{ name: ".", content: "x" }], "the root is a file"],
  [
    "a file in a file",
    [
      { name: "f", content: "x" },
      { name: "f/g", content: "x" },
    ],
    "is not a directory",
  ],
  ["a whiteout of ..", [{ name: ".wh..." }], "whiteout of nothing"],
  ["a whiteout of nothing", [{ name: "d/.wh." }], "whiteout of nothing"],
  ["a file in a whiteout", [{ name: ".wh.x/y", content: "x" }], "cannot be a directory"],
  ["a symbolic link to nothing", [{ name: "l", type: "symlink", linkName: "" }], "leads nowhere"],
])("%s is refused", async (_, members, message) => {
  const error = await fault(apply(members));
  expect(error.code).toBe("invalid");
  expect(error.message).toContain(message);
  expect(error.message).toContain("extracting");
  expect(readFileSync(join(outside, "precious"), "utf8")).toBe("untouched");
});

test("links are followed inside the root only", async () => {
  await apply([
    { name: "etc/", type: "directory" },
    { name: "abs", type: "symlink", linkName: "/etc" },
    { name: "abs/written", content: "inside" },
    { name: "up", type: "symlink", linkName: "../../../../etc" },
    { name: "up/too", content: "inside" },
    { name: "host", type: "symlink", linkName: outside },
    { name: "file", type: "symlink", linkName: join(outside, "precious") },
    { name: "file", content: "replaced" },
    { name: "up", type: "directory" },
    { name: "up/new", content: "no link any more" },
  ]);
  expect(readdirSync(join(target, "etc")).sort()).toEqual(["too", "written"]);
  expect(readFileSync(join(target, "file"), "utf8")).toBe("replaced");
  expect(readdirSync(join(target, "up"))).toEqual(["new"]);
  expect(existsSync("/etc/written")).toBe(false);
});

test("directories that links lead to are made inside the root", async () => {
  const result = await apply([
    { name: "host", type: "symlink", linkName: outside },
    { name: "host/precious", content: "inside" },
    { name: "d/near", type: "symlink", linkName: "../usr/./lib" },
    { name: "d/near/file", content: "1" },
    { name: "d/near/dir/", type: "directory", mtime: 88_000_000_000n },
    { name: "d/up", type: "symlink", linkName: "../../../top" },
    { name: "d/up/file", content: "2" },
    { name: "again", type: "hardlink", linkName: "d/near/file" },
  ]);
  expect(readFileSync(join(outside, "precious"), "utf8")).toBe("untouched");
  expect(readFileSync(join(target, outside, "precious"), "utf8")).toBe("inside");
  expect(readFileSync(join(target, "usr/lib/file"), "utf8")).toBe("1");
  expect(readFileSync(join(target, "top/file"), "utf8")).toBe("2");
  expect(lstatSync(join(target, "again")).nlink).toBe(2);
  expect(lstatSync(join(target, "usr/lib/dir")).mtimeMs).toBe(88_000);
  expect(result.implied).toContain("usr/lib");
  expect(result.implied).not.toContain("d/near");
});

test.each<[string, readonly TarMember[], string]>([
  ["a loop", [{ name: "l", type: "symlink", linkName: "l" }], "l/x"],
  [
    "a longer loop",
    [
      { name: "a", type: "symlink", linkName: "b/c" },
      { name: "b", type: "symlink", linkName: "a/c" },
    ],
    "a/x",
  ],
  [
    "a link to a file",
    [
      { name: "f", content: "" },
      { name: "l", type: "symlink", linkName: "f" },
    ],
    "l/x",
  ],
])("%s is not a directory", async (_, members, name) => {
  expect((await fault(apply([...members, { name, content: "x" }]))).code).toBe("invalid");
});

test("a link that replaces a directory is seen by later members", async () => {
  await apply([
    { name: "a/", type: "directory" },
    { name: "a/b/", type: "directory", mtime: 11_000_000_000n },
    { name: "c/", type: "directory" },
    { name: "c/b/", type: "directory", mtime: 22_000_000_000n },
    { name: "a/b/first", content: "1" },
    { name: "a", type: "symlink", linkName: "c" },
    { name: "a/b/second", content: "2" },
    { name: "a/", type: "directory" },
    { name: "a/b/third", content: "3" },
  ]);
  expect(readdirSync(join(target, "c/b"))).toEqual(["second"]);
  expect(readdirSync(join(target, "a/b"))).toEqual(["third"]);
  expect(lstatSync(join(target, "c/b")).mtimeMs).toBe(22_000);
});

test("long ways through links end in a Fault, wherever they lead", async () => {
  const deep = `${"n".repeat(99)}/`.repeat(15);
  const links = Array.from({ length: 6 }, (_, i): TarMember[] => [
    { name: `l${i}`, type: "symlink", linkName: `${i === 0 ? "" : `l${i - 1}/`}${deep}` },
  ]).flat();
  const error = await fault(apply([...links, { name: "l5/x", content: "x" }]));
  expect(error.code).toBe("invalid");
  expect(error.message).toContain("too long");
  rmSync(target, { recursive: true });
  mkdirSync(target);
  const one = [
    { name: "l", type: "symlink", linkName: deep },
    { name: "l/x", content: "x" },
  ] as const;
  expect((await apply(one)).implied).toHaveLength(16);
});

test("sparse members of an image archive become whole files", async () => {
  const file = join(scratch.path, "sparse");
  writeFileSync(file, "start");
  truncateSync(file, 3_000_000);
  appendFileSync(file, "end");
  truncateSync(file, 5_000_000);
  const whole = readFileSync(file);
  for (const format of ["gnu", "posix", "oldgnu"]) {
    const tar = ["-S", `--format=${format}`, "-C", scratch.path, "-cf", "-", "sparse"];
    const archive = execFileSync("tar", tar);
    expect(archive.length).toBeLessThan(100_000);
    const directory = join(scratch.path, randomUUID());
    mkdirSync(directory);
    const request = { directory, limits: {}, expansion: {} };
    const [member] = await explodeArchive(streamOf(archive), request);
    expect(member?.file?.digest).toBe(sha256(whole));
    expect(readFileSync(member?.file?.path ?? "").equals(whole)).toBe(true);
    expect(lstatSync(member?.file?.path ?? "").blocks * 512).toBeLessThan(1 << 20);
    rmSync(directory, { recursive: true });
  }
  truncateSync(file, 2 ** 31);
  const vast = execFileSync("tar", ["-S", "-C", scratch.path, "-cf", "-", "sparse"]);
  const request = { directory: target, limits: {}, expansion: {} };
  const error = await fault(explodeArchive(streamOf(vast), request));
  expect([error.code, error.message]).toEqual(["exhausted", expect.stringContaining("holes")]);
  expect(readdirSync(target)).toEqual([]);
  rmSync(file);
});

test("zeros take no room on the disk", async () => {
  const bytes = Buffer.alloc(5_000_000);
  bytes.write("begin");
  bytes.write("middle", 3_000_001);
  const content = bytes.toString("latin1");
  await apply(gzipSync(tarOf([{ name: "f", content }])));
  expect(readFileSync(join(target, "f")).equals(bytes)).toBe(true);
  expect(lstatSync(join(target, "f")).blocks * 512).toBeLessThan(1 << 20);
});

test("times of directories are set inside the root, whatever stands on the way", async () => {
  const before = lstatSync(outside).mtimeMs;
  await apply([
    { name: "sub/", type: "directory" },
    { name: "sub/deep/", type: "directory", mtime: 77_000_000_000n },
    { name: "sub", type: "symlink", linkName: outside },
    { name: "outside/", type: "directory", mtime: 99_000_000_000n },
  ]);
  expect(lstatSync(outside).mtimeMs).toBe(before);
  expect(lstatSync(join(target, "outside")).mtimeMs).toBe(99_000);
});

test("later members replace earlier ones of any kind", async () => {
  const kinds: readonly TarMember[] = [
    { name: "x", content: "file" },
    { name: "x", type: "symlink", linkName: "y" },
    { name: "x/", type: "directory" },
    { name: "x/child", content: "c" },
    { name: "x", type: "fifo" },
    { name: "x", type: "character", device: { major: 1, minor: 5 } },
    { name: "x/", type: "directory", mode: 0o700 },
    { name: "x/", type: "directory", mode: 0o711 },
    { name: "x", content: "last" },
    { name: "y", type: "hardlink", linkName: "x" },
    { name: "y", type: "hardlink", linkName: "x" },
    { name: "x", type: "hardlink", linkName: "x" },
  ];
  await apply(kinds);
  expect(readFileSync(join(target, "x"), "utf8")).toBe("last");
  expect(readdirSync(target).sort()).toEqual(["x", "y"]);
});

function isWhiteoutAt(path: string): boolean {
  const stat = fstatat(undefined, path, false);
  return (stat.mode & 0o170000) === 0o020000 && stat.rdev.major === 0 && stat.rdev.minor === 0;
}

function isOpaque(path: string): boolean {
  using directory = openat2(undefined, path, { flags: O_DIRECTORY });
  return getXattr(directory, "", "trusted.overlay.opaque")?.toString() === "y";
}

test("whiteouts take overlayfs's form, and hide only lower layers", async () => {
  await apply([
    { name: "gone/.wh.file" },
    { name: "opq/.wh..wh..opq" },
    { name: "opq/new", content: "n" },
    { name: "both", content: "mine" },
    { name: ".wh.both" },
    { name: ".wh.later" },
    { name: "later/", type: "directory" },
    { name: "later/in", content: "x" },
    { name: ".wh.implied" },
    { name: "implied/in", content: "x" },
    { name: "kept/in", content: "x" },
    { name: ".wh.kept" },
    { name: ".wh.twice" },
    { name: ".wh.twice" },
    { name: ".wh.then" },
    { name: "then", content: "file" },
    { name: ".wh..wh.plnk/", type: "directory" },
    { name: ".wh..wh.aufs", content: "" },
    { name: "\xff/.wh.\xfe" },
  ]);
  expect(isWhiteoutAt(join(target, "gone/file"))).toBe(true);
  expect(isOpaque(join(target, "opq"))).toBe(true);
  expect(readFileSync(join(target, "both"), "utf8")).toBe("mine");
  expect(readFileSync(join(target, "then"), "utf8")).toBe("file");
  expect(["later", "implied", "kept"].map((name) => isOpaque(join(target, name)))).toEqual([
    true,
    true,
    true,
  ]);
  expect(isWhiteoutAt(join(target, "twice"))).toBe(true);
  expect(readdirSync(target).filter((name) => name.startsWith(".wh."))).toEqual([]);

  const layer = await collect(diffLayer(target), 1 << 24, "tar");
  const names = execFileSync("tar", ["-tf", "-"], { input: layer }).toString().split("\n");
  for (const name of [
    "gone/.wh.file",
    "opq/.wh..wh..opq",
    "later/.wh..wh..opq",
    ".wh.twice",
    "both",
  ]) {
    expect(names).toContain(name);
  }
  const again = join(scratch.path, "again");
  mkdirSync(again);
  await receiveLayer({ source: { stream: streamOf(layer) }, target: again });
  const withoutTimes = (path: string) =>
    describeTree(path).map((line) => line.replace(/ \d{19} /, " "));
  expect(withoutTimes(again).slice(1)).toEqual(withoutTimes(target).slice(1));
  rmSync(again, { recursive: true });
});

test("attributes that steer an overlay are neither taken in nor given out", async () => {
  await apply([
    {
      name: "d/",
      type: "directory",
      xattrs: new Map([
        ["trusted.overlay.redirect", Buffer.from("/etc")],
        ["user.ok", Buffer.from("1")],
      ]),
    },
    {
      name: "f",
      content: "",
      xattrs: new Map([
        ["trusted.overlay.metacopy", Buffer.from("y")],
        ["no.such", Buffer.from("1")],
      ]),
    },
  ]);
  expect(describeTree(target).join("\n")).not.toContain("overlay");
  expect(describeTree(target).join("\n")).toContain("user.ok=31");
});

test("directories that the archive only implies look as they do below", async () => {
  const lower = join(scratch.path, "lower");
  mkdirSync(lower);
  await receiveLayer({
    source: {
      stream: streamOf(
        tarOf([
          { name: "var/", type: "directory", mode: 0o2770, uid: 5, gid: 6, mtime: 123n },
          { name: "var/lib/", type: "directory", mode: 0o700, mtime: 456n },
        ]),
      ),
    },
    target: lower,
  });
  await apply([{ name: "var/lib/x/y", content: "1" }], { lowers: [lower] });
  const lines = describeTree(target);
  expect(lines).toContain("/var 42770 5:6 123 ");
  expect(lines).toContain("/var/lib 40700 0:0 456 ");
  expect(lines.find((line) => line.startsWith("/var/lib/x "))).toContain(" 40755 0:0 ");
  rmSync(lower, { recursive: true });
});

test("a layer is kept as it came and unpacked in one pass, its parents later", async () => {
  const blob = gzipSync(
    tarOf([
      { name: "var/lib/x/y", content: "1" },
      { name: "new/z", content: "2" },
      { name: "cut/inside/w", content: "3" },
      { name: "seen/", type: "directory", mode: 0o711 },
    ]),
  );
  const path = join(scratch.path, "blob");
  const digest = sha256(blob);
  const identity = { path, digest, size: blob.length };
  const result = await receiveLayer({
    source: { stream: streamOf(blob, 7) },
    blob: identity,
    target,
  });
  expect(readFileSync(path).equals(blob)).toBe(true);
  expect(result.diffId as string).toBe(sha256(gunzipSync(blob)));
  expect(result.implied).toEqual(["", "var", "var/lib", "var/lib/x", "new", "cut", "cut/inside"]);
  expect(describeTree(target).find((line) => line.startsWith("/var "))).toContain(" 40755 0:0 ");

  const lowers = [join(scratch.path, "upper"), join(scratch.path, "lower")];
  const [upper = "", lower = ""] = lowers;
  for (const each of lowers) mkdirSync(each);
  await receiveLayer({
    source: {
      stream: streamOf(
        tarOf([
          { name: "./", type: "directory", mode: 0o750, mtime: 9n },
          { name: "var/", type: "directory", mode: 0o2770, uid: 5, gid: 6, mtime: 123n },
          { name: "var/lib/", type: "directory", mode: 0o700, mtime: 456n },
          { name: "seen/", type: "directory", mode: 0o700 },
          { name: "new/", type: "directory", mode: 0o700 },
          { name: "cut/inside/", type: "directory", mode: 0o700 },
        ]),
      ),
    },
    target: lower,
  });
  const hiding = [
    { name: "./", type: "directory", mode: 0o751, mtime: 8n },
    { name: ".wh.new" },
    { name: "cut/.wh..wh..opq" },
  ] as const;
  await receiveLayer({ source: { stream: streamOf(tarOf(hiding)) }, target: upper });
  await settleImplied({ target, implied: result.implied, lowers });
  const lines = describeTree(target);
  expect(lines).toContain("/ 40751 0:0 8 ");
  expect(lines).toContain("/var 42770 5:6 123 ");
  expect(lines).toContain("/var/lib 40700 0:0 456 ");
  const modeOf = (name: string) => lines.find((line) => line.startsWith(`/${name} `));
  expect(modeOf("var/lib/x")).toContain(" 40755 0:0");
  expect(modeOf("new")).toContain(" 40755 0:0");
  expect(modeOf("cut/inside")).toContain(" 40755 0:0");
  expect(modeOf("seen")).toContain(" 40711 0:0");
  for (const each of [path, upper, lower]) rmSync(each, { recursive: true });
});

test.each<[string, object, string, string]>([
  ["another digest", { digest: sha256("other") }, "data_loss", "does not match its digest"],
  ["fewer bytes", { size: 1_000_000 }, "data_loss", "were promised"],
  ["more bytes", { size: 100 }, "exhausted", "larger than the 100 bytes"],
])("a blob of %s than promised is refused and gone", async (_, flaw, code, says) => {
  const bytes = tarOf(everything);
  const path = join(scratch.path, "blob");
  const blob = { path, digest: sha256(bytes), size: bytes.length, ...flaw };
  const error = await fault(
    receiveLayer({ source: { stream: streamOf(bytes, 5000) }, blob, target }),
  );
  expect(error.code).toBe(code as Fault["code"]);
  expect(error.message).toContain(says);
  expect(existsSync(path)).toBe(false);
});

test("sparse files stay sparse", async () => {
  const file = join(scratch.path, "sparse");
  execFileSync("sh", [
    "-c",
    `truncate -s 64M ${file} && printf x | dd of=${file} bs=1 seek=30000000 conv=notrunc status=none`,
  ]);
  const archive = execFileSync("tar", [
    "-S",
    "--format=posix",
    "-C",
    scratch.path,
    "-cf",
    "-",
    "sparse",
  ]);
  await apply(archive);
  expect(readFileSync(join(target, "sparse")).equals(readFileSync(file))).toBe(true);
  expect(lstatSync(join(target, "sparse")).blocks * 512).toBeLessThan(1 << 20);
  rmSync(file);
});

test("limits, damage, a full disk and a failing sender end in a Fault, and the workers go on", async () => {
  expect((await fault(apply(everything, { limits: { entries: 3 } }))).code).toBe("exhausted");
  expect((await fault(apply(everything, { limits: { totalBytes: 3 } }))).code).toBe("exhausted");
  expect((await fault(apply(tarOf(everything).subarray(0, 2000)))).code).toBe("invalid");
  expect((await fault(apply(gzipSync(tarOf(everything)).subarray(0, 200)))).code).toBe("invalid");
  expect(
    (await fault(receiveLayer({ source: { path: join(scratch.path, "none") }, target }))).code,
  ).toBe("not_found");
  const failing = async function* () {
    yield tarOf(everything).subarray(0, 1000);
    throw new Fault("unavailable", "the line is dead");
  };
  expect((await fault(receiveLayer({ source: { stream: failing() }, target }))).message).toContain(
    "the line is dead",
  );

  const small = join(scratch.path, "small");
  mkdirSync(small);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", small]);
  try {
    const full = await fault(
      receiveLayer({
        source: { stream: streamOf(tarOf([{ name: "big", content: "x".repeat(3 << 20) }])) },
        target: small,
      }),
    );
    expect([full.code, full.errno, full.message]).toEqual([
      "exhausted",
      "ENOSPC",
      expect.stringContaining('"big"'),
    ]);
  } finally {
    execFileSync("umount", [small]);
  }
  const blob = join(small, "blob");
  const missing = await fault(
    packBlob({
      directory: join(scratch.path, "none"),
      mode: "tree",
      includeRoot: true,
      blob: { path: blob, compression: "none" },
    }),
  );
  expect(missing.code).toBe("not_found");
  expect(existsSync(blob)).toBe(false);
  rmSync(target, { recursive: true });
  mkdirSync(target);
  expect((await apply(everything)).entries).toBe(12);
});

test("cancelling stops a job, in and out", async () => {
  const endless = async function* () {
    yield tarOf([{ name: "a", content: "x" }]).subarray(0, 1024);
    const { promise } = Promise.withResolvers<never>();
    await promise;
    yield Buffer.alloc(0);
  };
  const stop = new AbortController();
  const running = fault(
    receiveLayer({ source: { stream: endless() }, target, signal: stop.signal }),
  );
  stop.abort();
  expect((await running).code).toBe("canceled");
  rmSync(target, { recursive: true });
  mkdirSync(target);
  for (let i = 0; i < 30; i++) writeFileSync(join(target, String(i)), Buffer.alloc(1 << 20, i));
  let chunks = 0;
  for await (const _ of packTree(target)) if (++chunks === 3) break;
  expect(chunks).toBe(3);
  const whole = await collect(packTree(target), 1 << 26, "tar");
  expect(
    execFileSync("tar", ["-tf", "-"], { input: whole, maxBuffer: 1 << 27 })
      .toString()
      .split("\n").length,
  ).toBe(31);
});

test("streams that stall hold up no other", async () => {
  const stop = new AbortController();
  const stalled = Array.from({ length: 6 }, () => {
    const silence = Promise.withResolvers<never>();
    stop.signal.addEventListener("abort", () => silence.reject(new Error("stopped")));
    const begun = Promise.withResolvers<void>();
    const stalling = async function* () {
      yield tarOf([{ name: "a", content: "x" }]).subarray(0, 1024);
      begun.resolve();
      yield await silence.promise;
    };
    const directory = join(scratch.path, randomUUID());
    mkdirSync(directory);
    const source = { stream: stalling() };
    const ended = fault(receiveLayer({ source, target: directory, signal: stop.signal }));
    return { begun: begun.promise, ended };
  });
  await Promise.all(stalled.map(({ begun }) => begun));
  expect((await apply(everything)).entries).toBe(12);
  const blob = join(scratch.path, "beside.tar");
  await packBlob({
    directory: target,
    mode: "tree",
    includeRoot: true,
    blob: { path: blob, compression: "none" },
  });
  expect((await receiveLayer({ source: { path: blob }, target })).entries).toBeGreaterThan(12);
  stop.abort();
  for (const { ended } of stalled) expect((await ended).code).toBe("canceled");
});

test("holes are not read, and packing and unpacking in one pass gives the same files", async () => {
  const size = 2 ** 26 + 5;
  const fd = openSync(join(target, "sparse"), "w");
  writeSync(fd, "begin");
  writeSync(fd, "middle", 2 ** 25 - 3);
  ftruncateSync(fd, size);
  closeSync(fd);
  writeFileSync(join(target, "plain"), "content");
  mkdirSync(join(target, "dir"));
  linkSync(join(target, "plain"), join(target, "dir", "link"));
  const blob = join(scratch.path, "sparse-blob");
  const beside = join(scratch.path, "beside");
  const after = join(scratch.path, "after");
  for (const path of [beside, after]) mkdirSync(path);
  const packed = await packBlob({
    ...{ directory: target, mode: "upper", includeRoot: false, target: beside },
    blob: { path: blob, compression: "none" },
  });
  const plain = await collect(packTree(target), 2 ** 27, "tar");
  expect(packed.diffId as string).toBe(sha256(plain));
  expect(packed.blobSize).toBe(plain.length);
  const unpacked = await receiveLayer({ source: { path: blob }, target: after });
  expect(packed).toMatchObject({ size: unpacked.size, implied: unpacked.implied });
  // The root is in no archive and has the time of its making.
  expect(describeTree(beside).slice(1)).toEqual(describeTree(after).slice(1));
  for (const path of [blob, join(beside, "sparse"), join(after, "sparse")]) {
    expect(lstatSync(path).blocks * 512).toBeLessThan(1 << 20);
  }
});

test("trees deeper than descriptors allow are packed, and the clamp holds", async () => {
  let path = target;
  for (let i = 0; i < 300; i++) {
    path = join(path, "d");
    mkdirSync(path);
  }
  writeFileSync(join(path, "leaf"), "x");
  const before = readdirSync("/proc/self/fd").length;
  const latest = 1_500_000_000_000_000_000n;
  const blob = join(scratch.path, "deep.tar");
  const result = await packBlob({
    directory: target,
    mode: "tree",
    includeRoot: true,
    latest,
    touch: true,
    blob: { path: blob, compression: { format: "zstd" } },
  });
  expect(result.entries).toBe(302);
  expect(describeTree(target).every((line) => line.includes(` ${latest} `))).toBe(true);
  expect(readdirSync("/proc/self/fd").length).toBeLessThanOrEqual(before);
});

test("a layer that is here gets another compression, however much it expands", async () => {
  const path = join(scratch.path, "zstd");
  // More than what strangers may send in so few bytes.
  const frame = zstdCompressSync(Buffer.alloc(16 << 20, "a"));
  writeFileSync(path, Buffer.concat(Array.from({ length: 34 }, () => frame)));
  const made = await recompressBlob({
    source: { path },
    path: join(scratch.path, "other"),
    choice: { format: "zstd", level: 1 },
    diffAlgorithm: "sha256",
  });
  expect(made.size).toBeGreaterThan(0);
}, 600_000);

test("whatever an archive does in whatever order, nothing outside changes", async () => {
  const sentinel = () => describeTree(outside).join("\n");
  const before = sentinel();
  const parts = [
    "a",
    "a",
    "a",
    "b",
    "b",
    "b",
    "precious",
    "precious",
    "..",
    ".",
    ".wh.a",
    ".wh..wh..opq",
  ];
  const up = "../".repeat(20);
  const targets = [outside, `${up}${outside}`, "../outside", "/", "b", "/proc/self/root"];
  const types = [
    "file",
    "file",
    "directory",
    "directory",
    "symlink",
    "symlink",
    "hardlink",
    "fifo",
    "character",
  ] as const;
  const outcomes = { done: 0, refused: 0 };
  for (let seed = 1; seed <= rounds(200, 8000); seed++) {
    const next = random(seed);
    const pick = <T>(list: readonly T[]): T => list[next(list.length)] as T;
    const name = () => Array.from({ length: 1 + next(2) }, () => pick(parts)).join("/") || "a";
    const members = Array.from({ length: 2 + next(20) }, (): TarMember => {
      const type = pick(types);
      const isLink = type === "symlink" || type === "hardlink";
      return {
        name: name(),
        type,
        mode: 0o777,
        uid: next(5),
        ...(type === "file" && { content: "hostile" }),
        ...(isLink && { linkName: next(2) ? pick(targets) : name() }),
        ...(type === "character" && { device: { major: next(2), minor: 0 } }),
      };
    });
    rmSync(target, { recursive: true, force: true });
    mkdirSync(target);
    try {
      await apply(members);
      outcomes.done++;
    } catch (error) {
      if (!(error instanceof Fault) || error.code === "internal") throw error;
      outcomes.refused++;
    }
    expect([seed, sentinel()]).toEqual([seed, before]);
  }
  expect(Math.min(outcomes.done, outcomes.refused)).toBeGreaterThan(10);
});
