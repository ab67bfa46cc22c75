import { expect, test } from "bun:test";
import { backupTag, expired, parseBackupTag, type Retention } from "./backup-tag.ts";

const at = (text: string) => new Date(text);

test("a tag has the volume and the second, and is read again", () => {
  const tag = backupTag("my-data.1", at("2026-01-02T03:04:05.678Z"));
  expect(tag).toBe("my-data.1-20260102T030405Z");
  expect(parseBackupTag(tag)).toEqual({
    tag,
    volume: "my-data.1",
    time: at("2026-01-02T03:04:05Z"),
  });
  for (const other of [
    "latest",
    "data",
    "data-20260102",
    "data-20269902T030405Z",
    "-20260102T030405Z",
  ])
    expect(parseBackupTag(other)).toBeUndefined();
  expect(() => backupTag("v".repeat(112), new Date())).toThrow("111 characters at most");
});

function kept(times: readonly string[], retention: Retention): string[] {
  const all = times.map((time) => {
    const parsed = parseBackupTag(backupTag("data", at(time)));
    if (!parsed) throw new Error(time);
    return parsed;
  });
  const gone = new Set(expired(all, retention).map(({ tag }) => tag));
  return all.filter(({ tag }) => !gone.has(tag)).map(({ time }) => time.toISOString().slice(0, 16));
}

const times = [
  "2026-01-01T06:00Z",
  "2026-01-01T18:00Z",
  "2026-01-02T06:00Z",
  "2026-01-05T06:00Z",
  "2026-01-05T18:00Z",
  "2026-01-05T23:59Z",
];

test("retention keeps the newest, and the newest of each day that has one", () => {
  expect(kept(times, { last: 2 })).toEqual(["2026-01-05T18:00", "2026-01-05T23:59"]);
  expect(kept(times, { daily: 2 })).toEqual(["2026-01-02T06:00", "2026-01-05T23:59"]);
  expect(kept(times, { daily: 9 })).toEqual([
    "2026-01-01T18:00",
    "2026-01-02T06:00",
    "2026-01-05T23:59",
  ]);
  expect(kept(times, { last: 2, daily: 3 })).toEqual([
    "2026-01-01T18:00",
    "2026-01-02T06:00",
    "2026-01-05T18:00",
    "2026-01-05T23:59",
  ]);
});

test("without a rule, or with fewer backups than it keeps, all stay", () => {
  expect(kept(times, {}).length).toBe(times.length);
  expect(kept(times, { last: 100 }).length).toBe(times.length);
  expect(kept([], { last: 1 })).toEqual([]);
});
