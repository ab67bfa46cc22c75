/**
 * Launches the plan that is in the file given first and then waits to be killed: what
 * becomes of a monitor whose engine dies. Says "started" once the program runs. With
 * "wait" it waits for the program's end instead, for launches by another kind of process.
 */
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { openHelper } from "#helper";

const [path = "", wait] = process.argv.slice(2);
const launch = openHelper().launch({ plan: readFileSync(path), fds: [] });
launch.go();
await launch.started;
process.stdout.write("started\n");
if (wait === undefined) await delay(60_000);
else await launch.monitorExited;
process.exit();
