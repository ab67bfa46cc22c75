import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Fd } from "./fd.ts";
import * as f from "./files.ts";
import { getXattr, listXattr, removeXattr, setXattr } from "./xattrs.ts";

let root = "";
let directory: Fd;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "kernel-files-"));
  directory = f.openat2(undefined, root, { flags: f.O_PATH | f.O_DIRECTORY });
});
afterEach(() => {
  directory.close();
  rmSync(root, { recursive: true });
});

test("a scoped lookup does not leave its root", () => {
  symlinkSync("/etc/hostname", join(root, "absolute"));
  symlinkSync("../../../../etc/hostname", join(root, "upwards"));
  for (const path of ["absolute", "upwards", "../x", "/etc/hostname"]) {
    const inRoot = () =>
      f.openat2(directory, path, { flags: f.O_RDONLY, resolve: f.RESOLVE_IN_ROOT });
    expect(inRoot).toThrow("no such file");
    const beneath = () =>
      f.openat2(directory, path, { flags: f.O_RDONLY, resolve: f.RESOLVE_BENEATH });
    expect(beneath).toThrow(/out of its root|no such file/);
  }
  const plain = () =>
    f.openat2(directory, "absolute", { flags: f.O_RDONLY, resolve: f.RESOLVE_NO_SYMLINKS });
  expect(plain).toThrow("a symbolic link is in the way");
});

test("files, directories, links and their stat", () => {
  f.mkdirat(directory, "d", 0o750);
  using file = f.openat2(directory, "d/f", { flags: f.O_RDWR | f.O_CREAT | f.O_EXCL, mode: 0o640 });
  f.writeAll(file, Buffer.from("hello"));
  f.fchmodat(directory, "d/f", 0o604);
  f.utimensat(directory, "d/f", { atime: 1n, mtime: -1_500_000_001n });
  f.linkat({ directory, path: "d/f" }, { directory, path: "hard" });
  f.symlinkat("d/f", directory, "soft");
  const stat = f.fstatat(directory, "hard", false);
  expect([stat.mode, stat.size, stat.nlink, stat.mtime]).toEqual([
    f.S_IFREG | 0o604,
    5,
    2,
    -1_500_000_001n,
  ]);
  expect(f.fstatat(file, "", false).ino).toBe(stat.ino);
  expect(f.fstatat(directory, "soft", true).ino).toBe(stat.ino);
  expect(f.fstatat(directory, "soft", false).mode & f.S_IFMT).toBe(f.S_IFLNK);
  expect(f.readlinkat(directory, "soft")).toBe("d/f");
});

test("only a regular file is opened to be read", async () => {
  writeFileSync(join(root, "file"), "hello");
  symlinkSync("file", join(root, "link"));
  mkdirSync(join(root, "directory"));
  f.mknodat(directory, "pipe", { mode: f.S_IFIFO | 0o600 });
  // To open it would fail, as it does for a device without a driver.
  const socket = createServer();
  await new Promise<void>((resolve) => socket.listen(join(root, "socket"), resolve));
  using file = f.openRegularFile(directory, "file");
  const buffer = Buffer.alloc(9);
  expect(file && buffer.toString("utf8", 0, f.readInto(file, buffer))).toBe("hello");
  for (const name of ["link", "directory", "pipe", "socket"]) {
    expect([name, f.openRegularFile(directory, name)]).toEqual([name, undefined]);
  }
  expect(() => f.openRegularFile(directory, "none")).toThrow("no such file");
  socket.close();
});

test("renames and removals", () => {
  writeFileSync(join(root, "a"), "a");
  writeFileSync(join(root, "b"), "b");
  const [a, b] = [
    { directory, path: "a" },
    { directory, path: "b" },
  ];
  expect(() => f.renameat2(a, b, f.RENAME_NOREPLACE)).toThrow("exists");
  f.renameat2(a, b, f.RENAME_EXCHANGE);
  expect(readFileSync(join(root, "a"), "utf8")).toBe("b");
  f.unlinkat(directory, "a");
  mkdirSync(join(root, "d"));
  expect(() => f.unlinkat(directory, "d")).toThrow("is a directory");
  f.unlinkat(directory, "d", f.AT_REMOVEDIR);
});

test("names that are not UTF-8 stay as they are", () => {
  const name = Uint8Array.of(0x66, 0xff, 0xfe);
  f.mkdirat(directory, name, 0o700);
  f.symlinkat(name, directory, "to");
  expect(new Uint8Array(f.readlinkatBytes(directory, "to"))).toEqual(name);
  f.unlinkat(directory, name, f.AT_REMOVEDIR);
});

test("arguments are checked before the kernel sees them", () => {
  expect(() => f.mkdirat(directory, "a\0b", 0o700)).toThrow("NUL");
  expect(() => f.mkdirat(directory, "x".repeat(5000), 0o700)).toThrow("shorter");
  expect(() => f.mkdirat(directory, "x", 0o100000)).toThrow("range");
  expect(() => f.mkdirat(directory, "x", 0.5)).toThrow("integer");
  expect(() => f.mkdirat(directory, 7 as unknown as string, 0o700)).toThrow("Uint8Array");
});

test("reading by position, shortening, syncing", async () => {
  writeFileSync(join(root, "a"), "0123456789");
  writeFileSync(join(root, "b"), "0123456789");
  using from = f.openat2(directory, "a", { flags: f.O_RDONLY });
  using to = f.openat2(directory, "b", { flags: f.O_RDWR });
  const buffer = Buffer.alloc(4);
  expect(f.readInto(from, buffer, 8)).toBe(2);
  expect(f.readInto(from, buffer, 10)).toBe(0);
  f.ftruncate(to, 3);
  await f.fsyncAsync(to);
  await f.syncfsAsync(to);
  expect(readFileSync(join(root, "b"), "utf8")).toBe("012");
});

test("attributes of a file, and of one name in a directory", () => {
  writeFileSync(join(root, "a"), "");
  using file = f.openat2(directory, "a", { flags: f.O_PATH });
  expect(getXattr(file, "", "user.x")).toBeUndefined();
  setXattr(file, "", "user.x", Buffer.from("one"));
  setXattr(directory, "a", "user.y", Buffer.alloc(1000, "y"));
  expect(getXattr(directory, "a", "user.x")?.toString()).toBe("one");
  expect(getXattr(file, "", "user.y")?.length).toBe(1000);
  expect(listXattr(file, "").sort()).toEqual(["user.x", "user.y"]);
  removeXattr(file, "", "user.x");
  removeXattr(directory, "a", "user.y");
  expect(listXattr(directory, "a")).toEqual([]);
  expect(() => getXattr(directory, "a/b", "user.x")).toThrow("slash");
  expect(() => getXattr(directory, "missing", "user.x")).toThrow("no such file");
});

test("an owned descriptor is used until it is closed, and closed once", () => {
  const fd = f.openat2(undefined, "/dev/null", { flags: f.O_RDONLY });
  const copy = fd.duplicate();
  fd.close();
  fd.close();
  expect(() => fd.number).toThrow("closed");
  expect(f.readInto(copy, Buffer.alloc(1))).toBe(0);
  using taken = new Fd(copy.take());
  expect(copy.isOpen).toBe(false);
  expect(taken.isOpen).toBe(true);
});
