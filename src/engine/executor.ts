import { type ContainerId, newId, Scope } from "#base";
import { descriptorPath, type Fd } from "#kernel";
import type { Executor, ExecutorTask } from "#rootfs";
import { defaultSeccompProfile, defaultSpec, type SeccompProfile } from "#runtime";
import { demultiplex } from "./containers/demultiplex.ts";
import type { Parts } from "./parts.ts";

const syncCalls = ["fsync", "fdatasync", "sync", "syncfs", "sync_file_range", "msync"];

/**
 * The default profile, with every sync a success that does nothing: a tree that a crash discards
 * needs no sync.
 */
const withoutSync: SeccompProfile = {
  ...defaultSeccompProfile,
  syscalls: [
    { names: syncCalls, action: "SCMP_ACT_ERRNO", errnoRet: 0 },
    ...defaultSeccompProfile.syscalls.map((rule) => ({
      ...rule,
      names: rule.names.filter((name) => !syncCalls.includes(name)),
    })),
  ],
};

const filesOfHost = ["/etc/resolv.conf", "/etc/hosts"];

/**
 * Runs programs of `rootfs` on trees that are not images yet: the same launch as a container's
 * without a row, a snapshot or a log. When the engine is killed, the sweep of the next start finds
 * the cgroup and ends the processes in it.
 */
export function createExecutor(parts: Parts<"tasks" | "networks" | "background">): Executor {
  return { execute: (task) => execute(parts, task) };
}

async function execute(
  parts: Parts<"tasks" | "networks" | "background">,
  task: ExecutorTask,
): Promise<{ exitCode: number }> {
  const { signal } = task;
  signal?.throwIfAborted();
  const id = newId<ContainerId>();
  await using scope = new Scope();
  const network = await openTaskNetwork(parts, task, scope);
  scope.defer(() => parts.tasks.remove(id));
  const run = scope.use(
    await parts.tasks.create({
      id,
      spec: taskSpec(parts, task, network),
      root: task.root,
      stdio: { mode: "pipes", stdin: false, stdinOnce: false },
      init: true,
    }),
  );
  const { output } = await run.attach({ stdin: false, stdout: true, stderr: true });
  const delivered = demultiplex(output, task.onOutput);
  const cancel = () => void parts.background.run("cancelling a task", () => run.killAll());
  signal?.addEventListener("abort", cancel);
  try {
    await run.start();
    const { exitCode } = await run.exited;
    await delivered;
    await run.released;
    return { exitCode };
  } finally {
    signal?.removeEventListener("abort", cancel);
  }
}

function taskSpec(parts: Parts<"tasks">, task: ExecutorTask, network: Fd | undefined) {
  const shared = task.network === undefined || task.network === "none" ? [] : filesOfHost;
  return defaultSpec({
    argv: task.argv,
    env: Object.entries(task.env).map(([name, value]) => `${name}=${value}`),
    cwd: task.cwd ?? "/",
    user: { uid: 0, gid: 0, additionalGids: [] },
    terminal: false,
    hostname: "thimble",
    namespaces: { network: network ? { path: descriptorPath(network) } : "host" },
    ...(task.suppressSync && { seccomp: withoutSync }),
    mounts: [
      ...shared.map((path) => ({
        destination: path,
        type: "bind",
        source: path,
        options: ["bind", "ro"],
      })),
      ...task.mounts.map(({ source, target, readonly }) => ({
        destination: target,
        type: "bind",
        source,
        options: ["rbind", "rprivate", readonly ? "ro" : "rw"],
      })),
    ],
    machine: parts.tasks.machine,
  });
}

/** The network namespace to run in; undefined: the host's. */
async function openTaskNetwork(
  parts: Parts<"networks">,
  task: ExecutorTask,
  scope: Scope,
): Promise<Fd | undefined> {
  if (task.network === "host") return undefined;
  if (task.network === "bridge") {
    const endpoint = await parts.networks.attach("bridge");
    scope.defer(() => parts.networks.release(endpoint));
    return endpoint.netns;
  }
  return scope.use(await parts.networks.isolated());
}
