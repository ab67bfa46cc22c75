/**
 * Runs in a mount namespace of its own in which the empty v2 half of a hybrid cgroup
 * tree is hidden, which crun refuses. Launches one bundle through the launch plan and
 * through crun in turns; prints the samples as JSON.
 *
 *   launch-driver.ts ROOTFS ROUNDS CRUN...
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encodePlan, openHelper } from "#helper";
import { compilePlan, defaultSpec, openCgroups, readMachine } from "#runtime";
import { command } from "./peers.ts";
import { type Contender, interleave } from "./statistics.ts";

const [rootfs = "", rounds = "30", ...crun] = process.argv.slice(2);
const work = mkdtempSync("/run/thimble-launch-");
const anchor = join(work, "root");
mkdirSync(anchor);
const cgroups = openCgroups({ instanceId: "bench" });
const machine = readMachine(cgroups);
const defaults = defaultSpec({
  argv: ["/bin/true"],
  env: ["PATH=/bin"],
  cwd: "/",
  user: { uid: 0, gid: 0, additionalGids: [] },
  terminal: false,
  hostname: "bench",
  machine,
  resources: {},
});
const spec = { ...defaults, root: { path: rootfs, readonly: false } };
using helper = openHelper({ path: join(import.meta.dir, "../native/build/thimble-init") });
let count = 0;

async function launch(): Promise<void> {
  const id = `launch-${count++}`;
  await using cgroup = await cgroups.create(id, spec.linux?.resources ?? {});
  const entry = cgroup.entry(0);
  const { plan } = compilePlan({
    id,
    spec,
    rootAnchor: anchor,
    cgroup: entry.cgroup,
    ...(entry.oomCounter !== undefined && { oomCounter: entry.oomCounter }),
    ...(entry.oomEvent !== undefined && { oomEvent: entry.oomEvent }),
    cgroupMounts: cgroup.mounts,
    stdio: { mode: "null", stdin: false, stdinOnce: false },
    exitRecord: join(work, id),
    machine,
  });
  await using started = helper.launch({ plan: encodePlan(plan), fds: entry.fds });
  // Nothing waits for the process to exist, as nothing does in `crun run`.
  started.go();
  const { exitCode } = await started.exited;
  await started.monitorExited;
  if (exitCode !== 0) throw new Error(`the program ended with ${exitCode}`);
}

/** The same configuration as a bundle. */
function bundle(): string {
  const directory = join(work, "bundle");
  mkdirSync(directory);
  writeFileSync(join(directory, "config.json"), JSON.stringify(spec));
  return directory;
}

const contenders: Contender[] = [{ name: "thimble", run: launch }];
if (crun.length > 0) {
  const directory = bundle();
  contenders.push({
    name: "crun run",
    run: async () => {
      await command([...crun, "run", "--bundle", directory, `bench-${count++}`]);
    },
  });
}
try {
  console.log(JSON.stringify(await interleave(contenders, Number(rounds))));
} finally {
  rmSync(work, { recursive: true, force: true });
  cgroups.close();
}
