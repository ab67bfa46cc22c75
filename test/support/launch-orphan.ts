/**
 * A process that launches the plan in the file given first. By default it says "started"
 * once the program runs and then waits to be killed: what becomes of a monitor whose
 * engine dies. With "without-mknod" it does without CAP_MKNOD and waits for the program's
 * end; with "create" it ends before GO.
 */
import { dlopen } from "bun:ffi";
import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { openHelper } from "#helper";

const PR_CAPBSET_DROP = 24;
const CAP_MKNOD = 27;

const [path = "", until] = process.argv.slice(2);
if (until === "without-mknod") {
  const { symbols } = dlopen("libc.so.6", { prctl: { args: ["int", "u64"], returns: "int" } });
  if (symbols.prctl(PR_CAPBSET_DROP, CAP_MKNOD) !== 0) throw new Error("CAP_MKNOD stays");
}
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
