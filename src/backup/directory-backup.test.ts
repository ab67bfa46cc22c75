import { afterEach, beforeEach, expect, test } from "bun:test";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { outcome } from "../base/testing.ts";
import { randomBytes } from "../chunk/testing.ts";
import {
  type BackupResult,
  createBackup,
  fetchBackup,
  openBackupStore,
  pruneBackups,
  readBackup,
} from "./index.ts";

const big = randomBytes(1_000_000, "big");
let root = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "thimble-backup-"));
  mkdirSync(join(root, "volume/sub"), { recursive: true });
  mkdirSync(join(root, "fetched"));
  writeFileSync(join(root, "volume/big"), big);
  writeFileSync(join(root, "volume/sub/text"), "hello\n".repeat(1000));
});
afterEach(() => rmSync(root, { recursive: true }));

const signal = new AbortController().signal;
const registry = () => Promise.reject(new Error("there is no registry"));
const openKey = () => Promise.reject(new Error("there is no key"));
const ignore = () => undefined;

async function backUp(tag: string): Promise<BackupResult> {
  const destination = { kind: "directory", path: join(root, "backups") } as const;
  await using store = await openBackupStore(destination, { registry, writes: true, signal });
  return await createBackup(store, {
    volume: "data",
    labels: undefined,
    directory: join(root, "volume"),
    tag,
    created: new Date("2026-01-02T03:04:05Z"),
    work: join(root, "work"),
    onProgress: ignore,
    signal,
  });
}

async function restore(tag: string): Promise<string> {
  const destination = { kind: "directory", path: join(root, "backups") } as const;
  const target = mkdtempSync(join(root, "restored-"));
  await using store = await openBackupStore(destination, { registry, writes: false, signal });
  const request = { target, work: join(root, "fetched"), openKey, onProgress: ignore, signal };
  await fetchBackup(store, await readBackup(store, tag), request);
  return target;
}

function files(directory: string): Record<string, string> {
  const names = readdirSync(directory, { recursive: true, withFileTypes: true });
  return Object.fromEntries(
    names
      .filter((each) => each.isFile())
      .map(({ parentPath, name }) => {
        const path = join(parentPath, name);
        return [path.slice(directory.length), readFileSync(path).toString("latin1")];
      }),
  );
}

test("a directory comes back from its backup; a changed one sends the change alone", async () => {
  const first = await backUp("data-20260102T030405Z");
  expect(first.sent).toBeGreaterThan(1_000_000);
  const original = files(join(root, "volume"));
  expect(files(await restore("data-20260102T030405Z"))).toEqual(original);
  writeFileSync(join(root, "volume/sub/new"), randomBytes(20_000, "new"));
  const second = await backUp("data-20260103T030405Z");
  expect(second.sent).toBeGreaterThan(20_000);
  expect(second.sent).toBeLessThan(200_000);
  expect(files(await restore("data-20260103T030405Z"))).toEqual(files(join(root, "volume")));
  expect(files(await restore("data-20260102T030405Z"))).toEqual(original);
  expect(readdirSync(join(root, "work"))).toEqual([]);
  expect(readdirSync(join(root, "fetched"))).toEqual([]);
});

test("a backup that was cut or altered is refused, whatever part it is", async () => {
  await backUp("latest");
  const blobs = join(root, "backups/blobs/sha256");
  const kept = join(root, "kept");
  cpSync(blobs, kept, { recursive: true });
  const messages = new Set<string>();
  for (const name of readdirSync(kept)) {
    const whole = readFileSync(join(kept, name));
    const altered = Buffer.from(whole);
    altered[whole.length >> 1] = (altered[whole.length >> 1] ?? 0) ^ 4;
    for (const bytes of [altered, whole.subarray(0, -1), Buffer.concat([whole, whole])]) {
      writeFileSync(join(blobs, name), bytes);
      const refused = await outcome(restore("latest"));
      expect(refused).toThrow();
      messages.add(String(refused));
    }
    rmSync(join(blobs, name));
    expect(await outcome(restore("latest"))).toThrow();
    writeFileSync(join(blobs, name), whole);
    expect(readdirSync(join(root, "fetched"))).toEqual([]);
  }
  await restore("latest");
});

test("retention removes old backups and the blobs that no other needs", async () => {
  await backUp("data-20260102T030405Z");
  writeFileSync(join(root, "volume/big"), randomBytes(1_000_000, "other"));
  await backUp("data-20260103T030405Z");
  const before = readdirSync(join(root, "backups/blobs/sha256")).length;
  const destination = { kind: "directory", path: join(root, "backups") } as const;
  await using store = await openBackupStore(destination, { registry, writes: true, signal });
  const pruned = await pruneBackups(store, { volume: "data", retention: { last: 1 } });
  expect(pruned.removed).toEqual(["data-20260102T030405Z"]);
  expect(pruned.freed).toBeGreaterThan(1_000_000);
  expect(readdirSync(join(root, "backups/blobs/sha256")).length).toBeLessThan(before);
  expect(files(await restore("data-20260103T030405Z"))).toEqual(files(join(root, "volume")));
  expect(await outcome(restore("data-20260102T030405Z"))).toThrow("there is no backup data-2026");
});

test("a directory with files of others is not written to, nor two backups at once", async () => {
  const destination = { kind: "directory", path: join(root, "volume") } as const;
  const options = { registry, writes: true, signal };
  expect(await outcome(openBackupStore(destination, options))).toThrow("it has files of others");
  const place = { kind: "directory", path: join(root, "backups") } as const;
  await using _held = await openBackupStore(place, options);
  expect(await outcome(openBackupStore(place, options))).toThrow("another backup is being written");
  const nowhere = { kind: "directory", path: join(root, "no/where") } as const;
  expect(await outcome(openBackupStore(nowhere, options))).toThrow("no does not exist");
  const empty = openBackupStore(nowhere, { ...options, writes: false });
  expect(await outcome(empty)).toThrow("there are no backups in");
});
