/**
 * Opens an engine below ROOT, whose volume "data" has a backup already, and makes a backup or a
 * restore with THIMBLE_CRASH_AT naming the step at which it kills itself.
 * Usage: backup-victim.ts ROOT (backup | restore) STEP
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { openEngineAt } from "../support/engine.ts";

const [root = "", scenario = "", step = ""] = process.argv.slice(2);
const { engine } = await openEngineAt({ dataRoot: join(root, "data"), runRoot: join(root, "run") });
const owner = { uid: 0, gid: 0 };
const place = { text: join(root, "backups") };
const { path } = await engine.volumes.create({ name: "data", owner });
const { signal } = new AbortController();
const backUp = () =>
  engine.backups.create({ volume: "data", place, retention: {} }, () => undefined, signal);
writeFileSync(join(path, "first"), "first");
await backUp();
writeFileSync(join(path, "second"), "second");
process.env.THIMBLE_CRASH_AT = step;
if (scenario === "backup") await backUp();
else {
  const request = { volume: "back", place, owner, replaces: false };
  await engine.backups.restore(request, () => undefined, signal);
}
// Only reached when the step was never met.
process.exit(99);
