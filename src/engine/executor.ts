import { Scope } from "#base";
import type { Executor, ExecutorTask } from "#rootfs";
import {
  defaultSeccompProfile,
  defaultSpec,
  type NamespaceMode,
  type SeccompProfile,
} from "#runtime";
import { demultiplex } from "./containers/demultiplex.ts";
import type { Parts } from "./parts.ts";
import { openRunNetwork, runUnlisted } from "./unlisted-run.ts";

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

/** Runs programs of `rootfs` on trees that are not images yet. */
export function createExecutor(parts: Parts<"tasks" | "networks" | "background">): Executor {
  return { execute: (task) => execute(parts, task) };
}

async function execute(
  parts: Parts<"tasks" | "networks" | "background">,
  task: ExecutorTask,
): Promise<{ exitCode: number }> {
  const { root, signal, onOutput, network = "none" } = task;
  signal?.throwIfAborted();
  await using scope = new Scope();
  const mode = await openRunNetwork(parts, network, scope);
  const { exitCode } = await runUnlisted(parts, {
    spec: taskSpec(parts, task, mode),
    root,
    init: true,
    deliver: (output) => demultiplex(output, onOutput),
    signal,
  });
  return { exitCode };
}

function taskSpec(parts: Parts<"tasks">, task: ExecutorTask, network: NamespaceMode) {
  const shared = task.network === undefined || task.network === "none" ? [] : filesOfHost;
  return defaultSpec({
    argv: task.argv,
    env: Object.entries(task.env).map(([name, value]) => `${name}=${value}`),
    cwd: task.cwd ?? "/",
    user: { uid: 0, gid: 0, additionalGids: [] },
    terminal: false,
    hostname: "thimble",
    namespaces: { network },
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
