import { chmodSync, chownSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { defined, Fault, type Scope } from "#base";
import type { StepLimits, StepMount, StepPlace, StepProgram } from "#build";
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
import type { ResolvedUser } from "../containers/user.ts";
import { lookupUser } from "../containers/user-lookup.ts";
import { mountForUs } from "../images/image-mount.ts";
import type { Parts } from "../parts.ts";
import { openRunNetwork } from "../unlisted-run.ts";

/** What the places of steps are made of. */
export type StepParts = Parts<"tasks" | "networks" | "background" | "paths" | "snapshots">;

const resolvConf = "/etc/resolv.conf";
const hosts = "/etc/hosts";

/** The place of a step, with all that its programs need open. */
export interface OpenedPlace {
  readonly place: StepPlace;
  readonly root: Mount;
  readonly network: NamespaceMode;
  readonly mounts: readonly OciMount[];
  readonly limits: ReturnType<typeof limitsOf>;
}

/** Opens the place of a step for as long as the scope; `invalid` for limits that do not exist. */
export async function openPlace(
  parts: StepParts,
  place: StepPlace,
  scope: Scope,
): Promise<OpenedPlace> {
  const limits = limitsOf(place.limits);
  const [root] = await parts.snapshots.mounts(place.snapshot);
  if (!root) throw new Fault("internal", `snapshot ${place.snapshot} has no mount`);
  const network = await openStepNetwork(parts, place, scope);
  const mounts = await placeMounts(parts, place, scope);
  return { place, root, network, mounts, limits };
}

/** The configuration of a program in it. */
export async function stepSpec(
  parts: StepParts,
  { place, network, mounts, limits }: OpenedPlace,
  { argv, env, cwd, user: wanted, terminal }: StepProgram & { readonly terminal: boolean },
): Promise<OciSpec> {
  const { isPrivileged, snapshot, hostname } = place;
  const user = await lookupUser(parts.snapshots, snapshot, { user: wanted, groupAdd: [] });
  return defaultSpec({
    ...{ argv, cwd, user, terminal, hostname, mounts },
    env: withHome(env, user),
    namespaces: { network },
    ...(isPrivileged && { privileged: true, hostDevices: readHostDevices() }),
    ...defined({ shmSize: place.limits.shmSize }),
    rlimits: limits.rlimits,
    resources: limits.resources,
    machine: parts.tasks.machine,
  });
}

/** "default" is the network of containers that ask for none. */
async function openStepNetwork(
  parts: StepParts,
  { network }: StepPlace,
  scope: Scope,
): Promise<NamespaceMode> {
  return await openRunNetwork(parts, network === "default" ? "bridge" : network, scope);
}

/** As in a container, the user's own directory unless the image says otherwise. */
function withHome(env: readonly string[], { home }: ResolvedUser): readonly string[] {
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
  place: StepPlace,
  scope: Scope,
): Promise<readonly OciMount[]> {
  // In memory: secrets must not come near a disk.
  const memory: Mount = { type: "tmpfs", source: "tmpfs", options: ["mode=700"] };
  const files = scope.use(await mountForUs(parts, [memory])).path;
  const own = new Set(place.mounts.map(({ target }) => target));
  const placed: OciMount[] = [];
  for (const [target, text] of [
    [resolvConf, resolvConfOf(noDns, { isHost: place.network === "host", resolver: false })],
    [hosts, await hostsText(parts, place)],
  ] as const) {
    if (own.has(target)) continue;
    const path = join(files, target.slice("/etc/".length));
    writeFileSync(path, text, { mode: 0o644 });
    placed.push(bind(path, target, true));
  }
  for (const [index, mount] of place.mounts.entries()) {
    placed.push(await placeMount(parts, mount, { path: join(files, String(index)), scope }));
  }
  return placed;
}

const noDns = { Dns: [], DnsSearch: [], DnsOptions: [] };

async function hostsText(parts: StepParts, place: StepPlace): Promise<string> {
  const extraHosts = await resolveExtraHosts(parts, place.hosts);
  return renderHosts({ extraHosts, names: ownNames([place.hostname]), addresses: ["127.0.0.1"] });
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
