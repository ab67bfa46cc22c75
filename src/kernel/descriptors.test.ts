import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  canOpen,
  eventFd,
  lockFile,
  peerCredentials,
  socketPair,
  statfs,
  untakenByPeer,
} from "./descriptors.ts";
import { readInto, writeAll } from "./files.ts";

test("one lock at a time", () => {
  const root = mkdtempSync(join(tmpdir(), "kernel-lock-"));
  const path = join(root, "lock");
  const held = lockFile(path);
  expect(() => lockFile(path)).toThrow("locked by another process");
  held.close();
  lockFile(path).close();
  rmSync(root, { recursive: true });
});

test("the process at the other end", () => {
  const [a, b] = socketPair();
  expect(peerCredentials(a)).toEqual({
    pid: process.pid,
    uid: process.getuid?.() ?? -1,
    gid: process.getgid?.() ?? -1,
  });
  a.close();
  b.close();
});

test("bytes that the other end has not read", () => {
  const [a, b] = socketPair();
  expect(untakenByPeer(a)).toBe(0);
  writeAll(a, Buffer.alloc(100));
  readInto(b, Buffer.alloc(99));
  expect(untakenByPeer(a)).toBeGreaterThan(0);
  readInto(b, Buffer.alloc(1));
  expect(untakenByPeer(a)).toBe(0);
  a.close();
  b.close();
  expect(() => untakenByPeer(-1)).toThrow();
});

test("an event descriptor counts", () => {
  using fd = eventFd();
  const count = Buffer.alloc(8);
  expect(() => readInto(fd, count)).toThrow("EAGAIN");
  count.writeBigUInt64LE(3n);
  writeAll(fd, count);
  writeAll(fd, count);
  readInto(fd, count);
  expect(count.readBigUInt64LE()).toBe(6n);
});

test("a file system's size, and a missing path is not found", () => {
  const usage = statfs("/");
  expect(usage.total).toBeGreaterThan(usage.free);
  expect(statfs("/proc").type).toBe(0x9fa0);
  expect(() => statfs("/does/not/exist")).toThrow("no such file");
  expect([canOpen("/dev/null"), canOpen("/does/not/exist")]).toEqual([true, false]);
});
