import { afterEach, beforeEach, expect, test } from "bun:test";
import { silentLog } from "#base";
import type { Digest } from "#image";
import { openState, type State } from "#state";
import { Background } from "../background.ts";
import type { MadeBackup } from "./backup-contract.ts";
import { BackupRuns } from "./backup-runs.ts";
import { BackupTable, type StoredSchedule } from "./backup-table.ts";

const hour = 3600_000;
const start = 1_700_000_000_000;
let state: State;
let table: BackupTable;
let background: Background;
let now = start;
beforeEach(() => {
  state = openState(":memory:");
  table = new BackupTable(state);
  background = new Background(silentLog);
  now = start;
});
afterEach(async () => {
  await background.settled();
  state.close();
});

function schedule(volume: string, next: number): void {
  const settings = {
    every: 3600,
    retention: { last: 2 },
    access: {},
    holders: undefined,
    fromSnapshot: false,
  };
  table.schedule({ volume, destination: "/b", next, ...settings });
}

const made = (tag: string): MadeBackup => ({
  ...{ tag, digest: `sha256:${"0".repeat(64)}` as Digest, size: 0, chunks: 0, sent: 0 },
  ...{ removed: [], warnings: [] },
});

/** Starts the runs; the promise settles with what was run, once `count` runs have ended. */
function run(count: number, work: (schedule: StoredSchedule) => Promise<MadeBackup>) {
  const ran: string[] = [];
  const { promise, resolve } = Promise.withResolvers<string[]>();
  const runs = new BackupRuns({ table, background, log: silentLog, now: () => now });
  runs.start(async (due) => {
    ran.push(due.volume);
    if (ran.length === count) setImmediate(() => resolve(ran));
    return await work(due);
  });
  return { runs, ran: promise };
}

test("those that are due run once, one after the other, however many were missed", async () => {
  schedule("a", start - 10 * hour);
  schedule("b", start);
  schedule("later", start + hour);
  const { runs, ran } = run(2, async ({ volume }) => made(`${volume}-1`));
  expect(await ran).toEqual(["a", "b"]);
  await background.settled();
  runs.close();
  expect(table.schedules()).toMatchObject([
    { volume: "a", last: start, next: start + hour, tag: "a-1", error: undefined },
    { volume: "b", last: start, next: start + hour, tag: "b-1" },
    { volume: "later", last: undefined, next: start + hour },
  ]);
});

test("a failure is kept until a run succeeds, and holds up no other", async () => {
  schedule("a", start);
  schedule("b", start);
  const { runs, ran } = run(2, async ({ volume }) => {
    if (volume === "a") throw new Error("no route");
    return made("b-1");
  });
  await ran;
  await background.settled();
  expect(table.schedules()[0]).toMatchObject({ error: "no route", tag: undefined });
  runs.close();
  now += hour;
  const second = run(2, async ({ volume }) => made(`${volume}-2`));
  await second.ran;
  await background.settled();
  second.runs.close();
  expect(table.schedules()[0]).toMatchObject({ error: undefined, tag: "a-2" });
});

test("a run that the engine's end breaks off is still due", async () => {
  schedule("a", start);
  const begun = Promise.withResolvers<void>();
  const runs = new BackupRuns({ table, background, log: silentLog, now: () => now });
  runs.start(async (_schedule, signal) => {
    begun.resolve();
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    signal.throwIfAborted();
    return made("never");
  });
  await begun.promise;
  runs.close();
  await background.settled();
  expect(table.schedules()).toMatchObject([{ next: start, tag: undefined, error: undefined }]);
});

test("a schedule goes with its volume, under another name too", () => {
  schedule("a", start);
  table.rename("a", "b");
  expect(table.schedules()).toMatchObject([{ volume: "b", retention: { last: 2 } }]);
  table.forget("b");
  expect(table.schedules()).toEqual([]);
  expect(table.unschedule("b", "/b")).toBe(false);
});
