import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openState } from "./index.ts";

test("space is set aside at the first start, used again, and kept after the end", () => {
  const directory = mkdtempSync(join(tmpdir(), "thimble-reserve-"));
  try {
    const path = join(directory, "state.db");
    const sizes = () => [statSync(path).size, statSync(`${path}-wal`).size];
    const state = openState(path);
    const before = sizes();
    expect(Math.min(...before)).toBeGreaterThan(500_000);
    state.migrate("thing", ["CREATE TABLE thing (id INTEGER PRIMARY KEY, body TEXT) STRICT"]);
    for (let id = 0; id < 20; id++) {
      state.run("INSERT INTO thing VALUES (?, ?)", id, "x".repeat(2000));
    }
    expect(sizes()).toEqual(before);
    state.close();
    expect(sizes()).toEqual(before);
    openState(path).close();
    expect(sizes()).toEqual(before);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
