/**
 * Opens the volumes in DIRECTORY over the database STATE, then does one thing to the volume
 * "victim" with THIMBLE_CRASH_AT naming the step at which it kills itself.
 * Usage: volume-victim.ts STATE DIRECTORY (create | claim | import | replace | snapshot | snapshot-rm | rollback | fill | clone | rename | remove | mount | plugin) STEP
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { O_DIRECTORY, O_RDONLY, openat2 } from "#kernel";
import { openState } from "#state";
import { openVolumes } from "#volume";
import { servePlugin } from "../support/volume-plugin.ts";

const [path = "", directory = "", scenario = "", step = ""] = process.argv.slice(2);
const plugins = { places: { sockets: [`${directory}.plugins`], specs: [] } };
const volumes = await openVolumes({ state: openState(path), directory, plugins });
const owner = { uid: 0, gid: 0 };
const options = { type: "tmpfs", device: "tmpfs" };
const request = { name: "victim", owner, ...(scenario === "mount" && { options }) };
using from = openat2(undefined, import.meta.dirname, { flags: O_RDONLY | O_DIRECTORY });
const isMade = ["create", "claim", "import", "plugin"].includes(scenario);
if (!isMade) await volumes.create(request);
const isFilled = ["clone", "rename", "remove", "replace", "snapshot", "snapshot-rm", "rollback"];
if (isFilled.includes(scenario)) await volumes.copies.fill("victim", from);
if (scenario === "clone" || scenario === "rename")
  await volumes.rename("victim", "source", undefined);
const snapshot = { tag: "s", holding: (copy: () => Promise<number>) => copy() };
if (scenario === "snapshot-rm" || scenario === "rollback") {
  await volumes.copies.snapshot("victim", snapshot);
  writeFileSync(join(volumes.pathOf("victim"), "later"), "");
}
process.env.THIMBLE_CRASH_AT = step;
if (scenario === "snapshot") await volumes.copies.snapshot("victim", snapshot);
if (scenario === "snapshot-rm") volumes.copies.removeSnapshot("victim", "s");
if (scenario === "rollback") await volumes.copies.rollback("victim", "s");
if (scenario === "create") await volumes.create(request);
if (scenario === "claim") await volumes.create(request, "claimant");
if (scenario === "import" || scenario === "replace") {
  const make = async (target: string) => writeFileSync(join(target, "imported"), "");
  await volumes.copies.replace(request, { replaces: true, make });
}
if (scenario === "fill") await volumes.copies.fill("victim", from);
if (scenario === "clone") await volumes.copies.clone({ name: "source" }, request);
if (scenario === "rename") await volumes.rename("source", "victim", undefined);
if (scenario === "remove") await volumes.remove("victim");
if (scenario === "mount") await volumes.holders.hold("victim", "holder");
if (scenario === "plugin") {
  mkdirSync(`${directory}.plugins`);
  await servePlugin(join(`${directory}.plugins`, "p.sock"), `${directory}.plugin`);
  await volumes.create({ ...request, driver: "p" });
}
// Only reached when the step was never met.
process.exit(99);
