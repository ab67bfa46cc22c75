import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { collect } from "#base";
import { readTar } from "#tar";
import { tarFiles } from "./tar-files.ts";

const directory = mkdtempSync("/tmp/thimble-tar-");
afterAll(() => rmSync(directory, { recursive: true }));
const binary = join(directory, "server");
writeFileSync(binary, "x".repeat(1000), { mode: 0o750 });
const empty = join(directory, "empty");
writeFileSync(empty, "", { mode: 0o644 });

test("files stand where they shall, owned by root and without a date", async () => {
  const members: unknown[] = [];
  for await (const entry of readTar(tarFiles([binary, `${empty}:/a/b/c`]))) {
    const { name, type, mode, uid, mtime } = entry;
    const size = (await collect(entry.body, 1 << 20, name)).byteLength;
    members.push({ name, type, mode, uid, mtime, size });
  }
  const common = { uid: 0, mtime: 0n };
  expect(members).toEqual([
    { ...common, name: "server", type: "file", mode: 0o750, size: 1000 },
    { ...common, name: "a/", type: "directory", mode: 0o755, size: 0 },
    { ...common, name: "a/b/", type: "directory", mode: 0o755, size: 0 },
    { ...common, name: "a/b/c", type: "file", mode: 0o644, size: 0 },
  ]);
});

test.each([
  ["/nonexistent", "cannot put /nonexistent into an image: no such file or directory"],
  [directory, "is not a regular file"],
  [`${binary}:relative`, "must be absolute"],
  [`${binary}:/a/../b`, "must be absolute"],
  [`${binary}:/`, "must be absolute"],
])("%s is refused before anything is sent", (word, message) => {
  expect(() => tarFiles([word])).toThrow(message);
});
