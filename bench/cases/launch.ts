import { existsSync } from "node:fs";
import { join } from "node:path";
import { command } from "../peers.ts";
import type { Finding } from "../report.ts";
import type { Stage } from "../stage.ts";
import type { Sample } from "../statistics.ts";

const driver = join(import.meta.dir, "../launch-driver.ts");

/** One bundle, launched to its end: namespaces, default mounts, seccomp, capabilities and cgroups alike. */
export async function launch({ peers, rootfs, rounds }: Stage): Promise<Finding[]> {
  const crun: string[] = [];
  if (peers) {
    // The tree's own loader and libraries, so that crun runs on the host's root as thimble does.
    const libraries = [
      join(peers.tree, "usr/lib/x86_64-linux-gnu"),
      join(peers.tree, "lib/x86_64-linux-gnu"),
    ];
    const loader = join(peers.tree, "usr/lib64/ld-linux-x86-64.so.2");
    crun.push(loader, "--library-path", libraries.join(":"), join(peers.tree, "usr/bin/crun"));
  }
  const hide = existsSync("/sys/fs/cgroup/unified")
    ? "mount -t tmpfs none /sys/fs/cgroup/unified; "
    : "";
  const inner = [process.execPath, driver, rootfs, String(rounds), ...crun];
  const output = await command([
    ...["unshare", "--mount", "--propagation", "private"],
    ...["sh", "-c", `${hide}exec "$@"`, "sh", ...inner],
  ]);
  const samples = JSON.parse(output) as Sample[];
  return [
    {
      kind: "timed",
      title: "launch of one bundle to its exit",
      samples,
      ...(peers ? { bars: [{ against: "crun run", factor: 1 }] } : {}),
    },
  ];
}
