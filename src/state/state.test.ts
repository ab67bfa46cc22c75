import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Fault } from "#base";
import { openState } from "./index.ts";

const directories: string[] = [];
afterEach(() => {
  for (const directory of directories.splice(0)) rmSync(directory, { recursive: true });
});

function temporary(): string {
  const directory = mkdtempSync(join(tmpdir(), "thimble-state-"));
  directories.push(directory);
  return join(directory, "state.db");
}

function faultCode(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof Fault) return error.code;
    throw error;
  }
  return "none";
}

const steps = ["CREATE TABLE thing (id TEXT PRIMARY KEY, size INTEGER NOT NULL, body BLOB) STRICT"];

test("rows written are there after reopening", () => {
  const path = temporary();
  {
    using state = openState(path);
    state.migrate("thing", steps);
    state.run("INSERT INTO thing VALUES (?, ?, ?)", "a", 2 ** 40, new Uint8Array([1, 2]));
  }
  using state = openState(path);
  state.migrate("thing", steps);
  const row = state.first<{ size: number; body: Uint8Array }>("SELECT * FROM thing");
  expect(row?.size).toBe(2 ** 40);
  expect([...(row?.body ?? [])]).toEqual([1, 2]);
});

test("migrations run once, only the new ones, and never backwards", () => {
  const path = temporary();
  using state = openState(path);
  state.migrate("thing", steps);
  state.migrate("thing", steps);
  state.migrate("thing", [...steps, "ALTER TABLE thing ADD COLUMN colour TEXT"]);
  state.run("INSERT INTO thing (id, size, colour) VALUES ('a', 1, 'red')");
  expect(state.query("SELECT colour FROM thing")).toEqual([{ colour: "red" }]);
  expect(faultCode(() => state.migrate("thing", steps))).toBe("conflict");
});

test("a failing migration leaves nothing of itself", () => {
  using state = openState(":memory:");
  expect(faultCode(() => state.migrate("thing", [...steps, "NONSENSE"]))).toBe("internal");
  expect(state.query("SELECT name FROM sqlite_master WHERE name = 'thing'")).toEqual([]);
  state.migrate("thing", steps);
});

test("a transaction that throws changes nothing, nested ones included", () => {
  using state = openState(":memory:");
  state.migrate("thing", steps);
  expect(() =>
    state.transaction(() => {
      state.run("INSERT INTO thing VALUES ('a', 1, NULL)");
      state.transaction(() => state.run("INSERT INTO thing VALUES ('b', 1, NULL)"));
      throw new Error("no");
    }),
  ).toThrow("no");
  expect(state.query("SELECT * FROM thing")).toEqual([]);
});

test("an asynchronous transaction is refused and rolled back", () => {
  using state = openState(":memory:");
  state.migrate("thing", steps);
  const code = faultCode(() =>
    state.transaction(async () => {
      state.run("INSERT INTO thing VALUES ('a', 1, NULL)");
    }),
  );
  expect(code).toBe("internal");
  expect(state.query("SELECT * FROM thing")).toEqual([]);
});

test("durably syncs the log and goes back to NORMAL", () => {
  using state = openState(temporary());
  state.migrate("thing", steps);
  const during = state.durably(() => {
    state.run("INSERT INTO thing VALUES ('a', 1, NULL)");
    return state.first<{ synchronous: number }>("PRAGMA synchronous")?.synchronous;
  });
  expect(during).toBe(2);
  expect(state.first<{ synchronous: number }>("PRAGMA synchronous")?.synchronous).toBe(1);
  expect(faultCode(() => state.transaction(() => state.durably(() => 1)))).toBe("internal");
});

test("a taken key is an exists fault", () => {
  using state = openState(":memory:");
  state.migrate("thing", steps);
  state.run("INSERT INTO thing VALUES ('a', 1, NULL)");
  expect(faultCode(() => state.run("INSERT INTO thing VALUES ('a', 1, NULL)"))).toBe("exists");
});

test("a file that is not a database is data loss, said with its path", () => {
  const path = temporary();
  writeFileSync(path, "this is not a database, and long enough to be looked at".repeat(100));
  expect(faultCode(() => openState(path))).toBe("data_loss");
  expect(() => openState(path)).toThrow(path);
});

test("the instance keeps its id, and a new boot id is noticed once", () => {
  const path = temporary();
  const first = openState(path, { bootId: "one" });
  expect(first.rebooted).toBe(false);
  const { instanceId } = first;
  first.close();
  using onlooker = openState(path, { bootId: "two", observe: true });
  expect(onlooker.rebooted).toBe(true);
  const second = openState(path, { bootId: "two" });
  expect([second.instanceId, second.rebooted, second.bootId]).toEqual([instanceId, true, "two"]);
  second.close();
  using third = openState(path, { bootId: "two" });
  expect(third.rebooted).toBe(false);
});
