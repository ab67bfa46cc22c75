import { connectMonitor, type Launch, type LaunchPlan } from "#helper";
import { type Fd, O_RDONLY, openat2 } from "#kernel";
import type { LaunchBench } from "./launch-bench.ts";

const kinds = ["ipc", "uts", "net", "pid", "mnt"] as const;

/** A plan that enters the container whose namespaces are the inherited table. */
export function execPlan(
  bench: LaunchBench,
  argv: readonly string[],
  change: Partial<LaunchPlan> = {},
): LaunchPlan {
  const {
    rootAnchor: _anchor,
    hostname: _name,
    ...plan
  } = bench.plan(argv, {
    mode: "exec",
    mounts: [],
    devices: [],
    symlinks: [],
    namespaces: kinds.map((kind, index) => ({ kind, join: index as never })),
    ...change,
  });
  return plan;
}

/** The namespaces of a process, in the order of `execPlan`. */
export function openNamespaces(pid: number, stack: DisposableStack): Fd[] {
  return kinds.map((kind) =>
    stack.use(openat2(undefined, `/proc/${pid}/ns/${kind}`, { flags: O_RDONLY })),
  );
}

/**
 * Kills the process of a plan of the bench, and waits until its monitor has let go of everything.
 */
export async function killLaunch(bench: LaunchBench, id: string, launch: Launch): Promise<void> {
  using monitor = await connectMonitor(bench.path(`${id}.sock`));
  await monitor.signal(9);
  await launch.monitorExited;
}
