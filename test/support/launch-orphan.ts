/**
 * A process that launches the plan in the file given first. By default it says "started"
 * once the program runs and then waits to be killed: what becomes of a monitor whose
 * engine dies. With "wait" it waits for the program's end, for launches by another kind of
 * process; with "create" it ends before GO.
 */
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { openHelper } from "#helper";

const [path = "", until] = process.argv.slice(2);
const launch = openHelper().launch({ plan: readFileSync(path), fds: [] });
if (until === "create") {
  await launch.created;
  process.exit();
}
launch.go();
await launch.started;
process.stdout.write("started\n");
if (until === undefined) await delay(60_000);
else await launch.monitorExited;
process.exit();
