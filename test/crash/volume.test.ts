import { afterAll, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mountTable } from "#kernel";
import { openState } from "#state";
import { openVolumes, volumeCrashPoints } from "#volume";

type Step = (typeof volumeCrashPoints)[number];
/**
 * "later": "full", and with the file that came after the snapshot; "kept": that and the snapshot;
 * "restored": what the snapshot has, and the snapshot.
 */
type Outcome = "empty" | "full" | "new" | "later" | "kept" | "restored" | "gone";

const directory = mkdtempSync(join(tmpdir(), "tv-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** How the volume is found afterwards: never half made, half filled or half removed. */
const expectations: Record<Step, readonly (readonly [scenario: string, Outcome])[]> = {
  "volume:recorded": [
    ["create", "empty"],
    ["claim", "gone"],
  ],
  "volume:directory-made": [
    ["create", "empty"],
    ["claim", "gone"],
  ],
  "volume:replacement-made": [
    ["import", "gone"],
    ["replace", "full"],
    ["rollback", "kept"],
  ],
  "volume:replaced": [
    ["import", "gone"],
    ["replace", "new"],
    ["rollback", "restored"],
  ],
  "snapshot:recorded": [["snapshot", "full"]],
  "snapshot:copied": [["snapshot", "full"]],
  "snapshot:moved": [["snapshot", "full"]],
  "snapshot:set-aside": [["snapshot-rm", "kept"]],
  "snapshot:row-deleted": [["snapshot-rm", "later"]],
  "volume:copied": [
    ["fill", "empty"],
    ["clone", "gone"],
  ],
  "volume:copy-moved": [
    ["fill", "full"],
    ["clone", "gone"],
  ],
  "volume:set-aside": [
    ["remove", "full"],
    ["rename", "gone"],
  ],
  "volume:row-deleted": [["remove", "gone"]],
  "volume:row-renamed": [["rename", "full"]],
  "volume:mounted": [["mount", "empty"]],
  "volume:plugin-recorded": [["plugin", "gone"]],
  "volume:plugin-made": [["plugin", "gone"]],
};

test("every crash step has its test", () => {
  expect(Object.keys(expectations)).toEqual([...volumeCrashPoints]);
});

const cases = volumeCrashPoints.flatMap((step) =>
  expectations[step].map(([scenario, outcome]) => [step, scenario, outcome] as const),
);

test.each(cases)("killed at %s of %s: %s", async (step, scenario, outcome) => {
  const place = mkdtempSync(join(directory, "case-"));
  const [database, data] = [join(place, "state.db"), join(place, "volumes")];
  const victim = join(import.meta.dirname, "volume-victim.ts");
  const child = Bun.spawn([process.execPath, victim, database, data, scenario, step], {
    stdout: "inherit",
    stderr: "inherit",
  });
  await child.exited;
  expect(child.signalCode).toBe("SIGKILL");

  using state = openState(database);
  const volumes = await openVolumes({ state, directory: data });
  await volumes.holders.settle();
  expect(mountTable().filter(({ target }) => target.startsWith(place))).toEqual([]);
  const found = volumes.find("victim");
  const hasSnapshot = outcome === "kept" || outcome === "restored";
  const tags = found ? volumes.copies.snapshots("victim").map(({ tag }) => tag) : [];
  expect(tags).toEqual(hasSnapshot ? ["s"] : []);
  const snapshots = join(data, "victim", "_snapshots");
  expect(existsSync(snapshots) ? readdirSync(snapshots) : []).toEqual(tags);
  expect(found !== undefined).toBe(outcome !== "gone");
  expect(existsSync(join(data, "victim"))).toBe(outcome !== "gone" && step !== "volume:recorded");
  await volumes.drained();
  expect(readdirSync(join(data, ".making"))).toEqual([]);
  expect(readdirSync(join(data, ".removed"))).toEqual([]);
  // The origin of a clone or of a new name is never lost.
  const isMoved = scenario === "rename" && outcome === "full";
  if (scenario === "clone" || scenario === "rename")
    expect(volumes.find("source") !== undefined).toBe(!isMoved);
  if (volumes.find("source")) {
    expect(readdirSync(volumes.pathOf("source")).length).toBeGreaterThan(0);
    await volumes.remove("source");
  }
  // What is left must not be in the way of the next one.
  await volumes.create({ name: "victim", owner: { uid: 0, gid: 0 } });
  const path = await volumes.holders.hold("victim", "holder");
  const files = readdirSync(path);
  expect(files.length > 0).toBe(outcome !== "empty" && outcome !== "gone");
  expect(files.includes("imported")).toBe(outcome === "new");
  expect(files.includes("later")).toBe(outcome === "kept" || outcome === "later");
  await volumes.holders.release("victim", "holder");
  await volumes.remove("victim");
  await volumes.drained();
  expect(readdirSync(data)).toEqual([".making", ".removed"]);
});
