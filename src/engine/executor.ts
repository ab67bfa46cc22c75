import { mkdirSync } from "node:fs";
import { type ContainerId, newId, Scope } from "#base";
import { attach } from "#helper";
import type { Executor, ExecutorTask } from "#rootfs";
import { defaultSeccompProfile, defaultSpec, type SeccompProfile } from "#runtime";
import { demultiplex } from "./containers/demultiplex.ts";
import { clearRunDirectory } from "./containers/exit.ts";
import { compileLaunch } from "./containers/launch.ts";
import type { EngineParts } from "./parts.ts";

const syncCalls = ["fsync", "fdatasync", "sync", "syncfs", "sync_file_range", "msync"];

/** The default profile with every sync a success that does nothing: of a tree that a crash throws away, none is needed. */
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
 * Runs programs of `rootfs` on trees that are no images yet: the same launch as a
 * container's without a row, a snapshot or a log. When the engine is killed, the
 * sweep of the next start finds the cgroup and ends what runs in it.
 */
export function createExecutor(parts: EngineParts): Executor {
  return { execute: (task) => execute(parts, task) };
}

async function execute(parts: EngineParts, task: ExecutorTask): Promise<{ exitCode: number }> {
  const { signal } = task;
  signal?.throwIfAborted();
  const id = newId<ContainerId>();
  await using scope = new Scope();
  const spec = taskSpec(parts, task);
  const network = await openTaskNetwork(parts, task, scope);
  const cgroup = scope.use(await parts.cgroups.create(id, spec.linux?.resources ?? {}));
  scope.defer(() => clearRunDirectory(parts, id));
  mkdirSync(parts.paths.runContainer(id), { recursive: true, mode: 0o700 });
  using compiled = compileLaunch({
    id,
    spec,
    root: task.root,
    rootAnchor: parts.paths.rootAnchor,
    joined: network,
    cgroup,
    stdio: { mode: "pipes", stdin: false, stdinOnce: false },
    controlSocket: parts.paths.controlSocket(id),
    init: true,
    machine: parts.machine,
  });
  const launch = scope.use(parts.helper.launch(compiled));
  await launch.created;
  const { output } = await attach(parts.paths.controlSocket(id), {
    stdin: false,
    stdout: true,
    stderr: true,
  });
  const delivered = demultiplex(output, task.onOutput);
  const cancel = () => void parts.background.run("cancelling a task", () => cgroup.killAll());
  signal?.addEventListener("abort", cancel);
  try {
    launch.go();
    await launch.started;
    const { exitCode } = await launch.exited;
    await delivered;
    await launch.monitorExited;
    return { exitCode };
  } finally {
    signal?.removeEventListener("abort", cancel);
  }
}

function taskSpec(parts: EngineParts, task: ExecutorTask) {
  const shared = task.network === undefined || task.network === "none" ? [] : filesOfHost;
  return defaultSpec({
    argv: task.argv,
    env: Object.entries(task.env).map(([name, value]) => `${name}=${value}`),
    cwd: task.cwd ?? "/",
    user: { uid: 0, gid: 0, additionalGids: [] },
    terminal: false,
    hostname: "thimble",
    namespaces: { network: task.network === "host" ? "host" : "join" },
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
    machine: parts.machine,
  }).spec;
}

async function openTaskNetwork(parts: EngineParts, task: ExecutorTask, scope: Scope) {
  if (task.network === "host") return {};
  if (task.network === "bridge") {
    const endpoint = await parts.networks.attach("bridge");
    scope.defer(() => parts.networks.release(endpoint));
    return { net: endpoint.netns };
  }
  return { net: scope.use(await parts.networks.isolated()) };
}
