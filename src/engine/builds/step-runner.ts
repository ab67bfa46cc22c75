import { chmodSync, chownSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { defined, Fault, faultOf, Scope } from "#base";
import type { StepExit, StepLimits, StepMount, StepRunner, StepTask } from "#build";
import {
  descriptorPath,
  type Mount,
  O_DIRECTORY,
  O_PATH,
  openat2,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
} from "#kernel";
import { ownNames, renderHosts, resolvConfOf } from "#network";
import {
  defaultSpec,
  type NamespaceMode,
  type OciMount,
  type OciRlimit,
  type OciSpec,
  parseCgroupParent,
  parseResourceLimit,
  readHostDevices,
} from "#runtime";
import { resolveExtraHosts } from "../containers/container-files.ts";
import { readFrames } from "../containers/demultiplex.ts";
import { describeStartFailure } from "../containers/start-failure.ts";
import type { ResolvedUser } from "../containers/user.ts";
import { lookupUser } from "../containers/user-lookup.ts";
import { mountForUs } from "../images/image-mount.ts";
import type { Parts } from "../parts.ts";
import { openRunNetwork, runUnlisted } from "../unlisted-run.ts";
import { findMountStubs, removeMountStubs } from "./mount-stubs.ts";

type StepParts = Parts<"tasks" | "networks" | "background" | "paths" | "snapshots">;

const resolvConf = "/etc/resolv.conf";
const hosts = "/etc/hosts";

/** Runs the steps of builds as containers are run, with their defaults. */
export function createStepRunner(parts: StepParts): StepRunner {
  return {
    run: (task) => runStep(parts, task),
    ownerOf: async (snapshot, user) => {
      // As BuildKit: a number without a group is the group's number too.
      if (/^\d+$/.test(user)) return { uid: Number(user), gid: Number(user) };
      return await lookupUser(parts.snapshots, snapshot, { user, groupAdd: [] });
    },
  };
}

async function runStep(parts: StepParts, task: StepTask): Promise<StepExit> {
  const { snapshot, signal, onOutput } = task;
  signal.throwIfAborted();
  const limits = limitsOf(task.limits);
  await using scope = new Scope();
  const [root] = await parts.snapshots.mounts(snapshot);
  if (!root) throw new Fault("internal", `snapshot ${snapshot} has no mount`);
  const user = await lookupUser(parts.snapshots, snapshot, { user: task.user, groupAdd: [] });
  const network = await openStepNetwork(parts, task, scope);
  const mounts = await placeMounts(parts, task, scope);
  const targets = mounts.map(({ destination }) => destination);
  const stubs = await findMountStubs(parts.snapshots, snapshot, targets);
  const exit = await runUnlisted(parts, {
    spec: stepSpec(parts, task, { user, network, mounts, limits }),
    root,
    init: false,
    ...defined({ cgroupParent: limits.cgroupParent }),
    deliver: async (output) => {
      for await (const { stream, data } of readFrames(output)) {
        onOutput(stream === "stderr" ? 2 : 1, data);
      }
    },
    signal,
  }).catch((error: unknown) => {
    throw describeStartFailure(faultOf(error), task.argv[0] ?? "").fault;
  });
  signal.throwIfAborted();
  await removeMountStubs(parts.snapshots, snapshot, stubs);
  return { exitCode: exit.exitCode, signal: exit.signal, oomKilled: exit.oomKilled };
}

/** "default" is the network of containers that ask for none. */
async function openStepNetwork(
  parts: StepParts,
  { network }: StepTask,
  scope: Scope,
): Promise<NamespaceMode> {
  return await openRunNetwork(parts, network === "default" ? "bridge" : network, scope);
}

interface StepFacts {
  readonly user: ResolvedUser;
  readonly network: NamespaceMode;
  readonly mounts: readonly OciMount[];
  readonly limits: ReturnType<typeof limitsOf>;
}

function stepSpec(
  parts: StepParts,
  task: StepTask,
  { user, network, mounts, limits }: StepFacts,
): OciSpec {
  const { isPrivileged } = task;
  return defaultSpec({
    argv: task.argv,
    env: withHome(task.env, user.home),
    cwd: task.cwd,
    user,
    terminal: false,
    hostname: task.hostname,
    namespaces: { network },
    mounts,
    ...(isPrivileged && { privileged: true, hostDevices: readHostDevices() }),
    ...defined({ shmSize: task.limits.shmSize }),
    rlimits: limits.rlimits,
    resources: limits.resources,
    machine: parts.tasks.machine,
  });
}

/** As in a container, the user's own directory unless the image says otherwise. */
function withHome(env: readonly string[], home: string): readonly string[] {
  return env.some((each) => each.startsWith("HOME=")) ? env : [...env, `HOME=${home}`];
}

/** The limits in the runtime's words; `invalid` for those that it does not know. */
function limitsOf(limits: StepLimits) {
  const { ulimits = [], memory, memorySwap: swap, cgroupParent } = limits;
  const rlimits = ulimits.map(({ name, soft, hard }): OciRlimit => {
    const type = parseResourceLimit(name);
    if (type === undefined) {
      throw new Fault("invalid", `invalid ulimit type: ${name}`, { about: name });
    }
    return { type, soft, hard };
  });
  const cpu = defined({
    shares: limits.cpuShares,
    period: limits.cpuPeriod,
    quota: limits.cpuQuota,
    cpus: limits.cpusetCpus,
    mems: limits.cpusetMems,
  });
  return {
    rlimits,
    resources: { memory: defined({ limit: memory, swap }), cpu },
    cgroupParent: cgroupParent ? parseCgroupParent(cgroupParent) : undefined,
  };
}

/** The files in /etc that a container has, and the mounts of the step, for as long as the scope. */
async function placeMounts(
  parts: StepParts,
  task: StepTask,
  scope: Scope,
): Promise<readonly OciMount[]> {
  // In memory: secrets must not come near a disk.
  const memory: Mount = { type: "tmpfs", source: "tmpfs", options: ["mode=700"] };
  const files = scope.use(await mountForUs(parts, [memory])).path;
  const own = new Set(task.mounts.map(({ target }) => target));
  const placed: OciMount[] = [];
  for (const [target, text] of [
    [resolvConf, resolvConfOf(noDns, { isHost: task.network === "host", resolver: false })],
    [hosts, await hostsText(parts, task)],
  ] as const) {
    if (own.has(target)) continue;
    const path = join(files, target.slice("/etc/".length));
    writeFileSync(path, text, { mode: 0o644 });
    placed.push(bind(path, target, true));
  }
  for (const [index, mount] of task.mounts.entries()) {
    placed.push(await placeMount(parts, mount, { path: join(files, String(index)), scope }));
  }
  return placed;
}

const noDns = { Dns: [], DnsSearch: [], DnsOptions: [] };

async function hostsText(parts: StepParts, task: StepTask): Promise<string> {
  const extraHosts = await resolveExtraHosts(parts, task.hosts);
  return renderHosts({ extraHosts, names: ownNames([task.hostname]), addresses: ["127.0.0.1"] });
}

async function placeMount(
  parts: StepParts,
  mount: StepMount,
  { path, scope }: { readonly path: string; readonly scope: Scope },
): Promise<OciMount> {
  const { target } = mount;
  switch (mount.type) {
    case "tmpfs": {
      const size = mount.size === undefined ? [] : [`size=${mount.size}`];
      const options = ["nosuid", "nodev", "mode=1777", ...size];
      return { destination: target, type: "tmpfs", source: "tmpfs", options };
    }
    case "file":
      writeFileSync(path, mount.data, { mode: 0o600 });
      chownSync(path, mount.uid, mount.gid);
      chmodSync(path, mount.mode);
      return bind(path, target, true);
    case "socket":
      return bind(mount.path, target, false);
    case "tree":
      return bind(await openTree(parts, mount, scope), target, mount.isReadOnly);
  }
}

/** The place in a tree that a step mounts, which stays the same whatever its links become. */
async function openTree(
  parts: StepParts,
  { source, path }: Extract<StepMount, { readonly type: "tree" }>,
  scope: Scope,
): Promise<string> {
  const root =
    typeof source === "string"
      ? scope.use(openat2(undefined, source, { flags: O_PATH | O_DIRECTORY }))
      : scope.use(await mountForUs(parts, source)).root;
  const resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  return descriptorPath(scope.use(openat2(root, path, { flags: O_PATH, resolve })));
}

function bind(source: string, destination: string, isReadOnly: boolean): OciMount {
  const options = ["rbind", "rprivate", isReadOnly ? "ro" : "rw"];
  return { destination, type: "bind", source, options };
}
