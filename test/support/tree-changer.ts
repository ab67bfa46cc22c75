/**
 * Changes what is in a directory, at random and without a pause, until it is killed; says "ready"
 * once there is something.
 * Usage: tree-changer.ts DIRECTORY SEED
 */
import {
  appendFileSync,
  chmodSync,
  linkSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { random } from "../../src/base/testing.ts";

const [directory = "", seed = ""] = process.argv.slice(2);
const next = random(Number(seed));
const directories = ["", "a", "b", "a/c", "b/c", "d"];
const name = () => `f${next(60)}`;
const place = () => join(directory, directories[next(directories.length)] ?? "", name());

const changes: readonly (() => void)[] = [
  () => writeFileSync(place(), "x".repeat(next(20_000))),
  () => writeFileSync(place(), "y".repeat(next(20_000))),
  () => appendFileSync(place(), "more"),
  () => truncateSync(place(), next(100)),
  () => rmSync(place()),
  () => renameSync(place(), place()),
  () => linkSync(place(), place()),
  () => symlinkSync(name(), place()),
  () => chmodSync(place(), 0o600 + next(0o200)),
  () => utimesSync(place(), next(1e9), 1),
  // Two directories change places.
  () => {
    const [one = "", other = ""] = next(2) ? ["a", "b"] : ["a/c", "b/c"];
    renameSync(join(directory, one), join(directory, "swapped"));
    renameSync(join(directory, other), join(directory, one));
    renameSync(join(directory, "swapped"), join(directory, other));
  },
  () => {
    if (next(20) > 0) return;
    rmSync(join(directory, "d"), { recursive: true, force: true });
    mkdirSync(join(directory, "d"));
  },
];

for (const each of directories) mkdirSync(join(directory, each), { recursive: true });
for (let i = 0; i < 300; i++) writeFileSync(place(), "x".repeat(next(20_000)));
console.log("ready");
for (;;) {
  try {
    changes[next(changes.length)]?.();
  } catch (error) {
    // A name that is not there, or is taken.
    if (!(error instanceof Error && "code" in error)) throw error;
  }
  if (readdirSync(directory).length === 0) break;
}
