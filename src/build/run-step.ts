import { type ContainerId, Fault, faultOf, newId, type Scope } from "#base";
import type { StoredLayer } from "#content";
import type { ChainId } from "#image";
import type { Mount } from "#kernel";
import { copyFiles } from "#layer";
import type { Snapshotter } from "#snapshot";
import type { CacheMounts } from "./cache-mounts.ts";
import type { AgentSource, SecretSource } from "./contract.ts";
import type { Operation, RunMount, RunOperation, Source } from "./operation.ts";
import { type SourceFiles, selectionOf } from "./source-files.ts";
import { ProcessFault } from "./step-fault.ts";
import type {
  StepExit,
  StepLimits,
  StepMount,
  StepPlace,
  StepRunner,
  StepTask,
} from "./step-runner.ts";

/** What RUN needs beside its root. */
export interface RunParts {
  readonly snapshots: Snapshotter;
  readonly runner: StepRunner;
  readonly cacheMounts: CacheMounts;
}

/** The build that a step runs for. */
export interface RunContext {
  /** The layers of what a mount takes files from; empty for "scratch". */
  readonly layersOf: (source: Operation | "scratch") => Promise<readonly StoredLayer[]>;
  readonly filesOf: (source: Source) => Promise<SourceFiles>;
  readonly secrets: SecretSource | undefined;
  readonly agents: AgentSource | undefined;
  readonly limits: StepLimits;
  /** Of a step without --network. */
  readonly network: string;
  readonly onOutput: StepTask["onOutput"];
  readonly signal: AbortSignal;
}

/** BuildKit's limit. */
const maxSecret = 500 << 10;

/** The root of a step, and who gives back what it needs beside that. */
interface StepRoot {
  readonly snapshot: string;
  readonly scope: Scope;
  readonly context: RunContext;
}

/** Carries out RUN in the root of a snapshot; a `ProcessFault` when it ends with another status than 0. */
export async function runStep(
  parts: RunParts,
  operation: RunOperation,
  root: StepRoot,
): Promise<void> {
  const { argv, cwd, user } = operation;
  const { place, env } = await placeStep(parts, operation, root);
  const { onOutput, signal } = root.context;
  const task = { ...place, argv, env, cwd, user, onOutput: clipped(onOutput), signal };
  const exit = await started(parts.runner, task);
  if (exit.exitCode !== 0) throw ended(argv, exit);
}

/** Where RUN runs, for as long as the scope, and its environment with the secrets in it. */
export async function placeStep(
  parts: Omit<RunParts, "runner">,
  operation: RunOperation,
  { snapshot, scope, context }: StepRoot,
): Promise<{ readonly place: StepPlace; readonly env: readonly string[] }> {
  const mounts: StepMount[] = [];
  const env = [...operation.env, ...operation.proxy];
  for (const mount of operation.mounts) {
    const placed = await placeMount(parts, mount, { scope, context });
    if (placed.mount) mounts.push(placed.mount);
    if (placed.variable) env.push(placed.variable);
  }
  const { network, hosts, security, shmSize } = operation;
  const place: StepPlace = {
    ...{ snapshot, mounts, hosts },
    network: network === "default" ? context.network : network,
    hostname: operation.hostname ?? "buildkitsandbox",
    isPrivileged: security === "insecure",
    limits: { ...context.limits, shmSize: shmSize ?? context.limits.shmSize },
  };
  return { place, env };
}

/** So much of a step's output is shown, as with BuildKit: nobody waits for who reads it. */
const maxOutput = 2 << 20;

function clipped(deliver: StepTask["onOutput"]): StepTask["onOutput"] {
  let left = maxOutput;
  return (stream, data) => {
    if (left <= 0) return;
    deliver(stream, data.subarray(0, left));
    left -= data.length;
    if (left <= 0) deliver(2, Buffer.from("\n[output clipped, log limit 2MiB reached]\n"));
  };
}

/** In BuildKit's words, also where the program could not be started. */
async function started(runner: StepRunner, task: StepTask): Promise<StepExit> {
  try {
    return await runner.run(task);
  } catch (error) {
    const fault = faultOf(error);
    if (fault.stage === undefined) throw fault;
    throw new ProcessFault(task.argv.join(" "), startStatus(fault), fault);
  }
}

function ended(argv: readonly string[], { exitCode, oomKilled }: StepExit): ProcessFault {
  const why = `exit code: ${exitCode}: cannot allocate memory`;
  const cause = oomKilled ? new Fault("exhausted", why) : undefined;
  return new ProcessFault(argv.join(" "), exitCode, cause);
}

/** As a shell has it: 127 for a program that is missing, 126 for one that cannot be executed. */
function startStatus({ errno }: Fault): number {
  return errno === "ENOENT" || errno === "ENOTDIR" ? 127 : 126;
}

interface PlacedMount {
  readonly mount?: StepMount;
  /** "NAME=value". */
  readonly variable?: string;
}

async function placeMount(
  parts: Omit<RunParts, "runner">,
  mount: RunMount,
  { scope, context }: { readonly scope: Scope; readonly context: RunContext },
): Promise<PlacedMount> {
  const { target = "" } = mount;
  switch (mount.type) {
    case "tmpfs":
      return { mount: { type: "tmpfs", target, size: mount.size } };
    case "secret":
      return await placeSecret(mount, context);
    case "ssh": {
      const agent = await context.agents?.open(mount.id);
      if (!agent && mount.isRequired) {
        throw new Fault("invalid", `unset ssh forward key ${mount.id}`, { about: mount.id });
      }
      if (!agent) return {};
      scope.use(agent);
      return { mount: { type: "socket", path: agent.path, target } };
    }
    case "document": {
      const data = Buffer.from(mount.document.text);
      const path = `${target}/${mount.document.name}`;
      return { mount: { type: "file", data, target: path, mode: 0o755, uid: 0, gid: 0 } };
    }
    case "bind": {
      const source = await bindSource(parts, mount, { scope, context });
      return { mount: { type: "tree", ...source, target, isReadOnly: mount.isReadOnly } };
    }
    case "cache": {
      const { id, sharing, mode, uid, gid, from, path, isReadOnly } = mount;
      const { signal } = context;
      const fill = from && ((directory: string) => copyAll(from, { directory, context }));
      const cache = await parts.cacheMounts.open({ id, sharing, mode, uid, gid, fill, signal });
      scope.use(cache);
      return { mount: { type: "tree", source: cache.directory, path, target, isReadOnly } };
    }
  }
}

/** Stages and images are mounted; of a context there is a copy without what is to be left out. */
async function bindSource(
  parts: Pick<RunParts, "snapshots">,
  { from, path, isReadOnly }: Extract<RunMount, { readonly type: "bind" }>,
  { scope, context }: { readonly scope: Scope; readonly context: RunContext },
): Promise<{ readonly source: readonly Mount[] | string; readonly path: string }> {
  if (from === "scratch" || from.kind !== "context") {
    const layers = await context.layersOf(from);
    return { source: await mountsOf(parts, layers, { scope, isReadOnly }), path };
  }
  const files = await context.filesOf(from);
  if (files.ignore.length === 0 && isReadOnly) return { source: files.directory, path };
  const key = await privateSnapshot(parts, undefined, scope);
  // A directory gets this name, and so does a file.
  const name = "/source";
  const selection = selectionOf(files, { path });
  await copyInto(parts.snapshots.directory(key), { selection, destination: name, context });
  return { source: await parts.snapshots.mounts(key), path: name };
}

/** The first content of a cache. */
async function copyAll(
  from: Source,
  { directory, context }: { readonly directory: string; readonly context: RunContext },
): Promise<void> {
  const selection = selectionOf(await context.filesOf(from), { path: "/" });
  await copyInto(directory, { selection, destination: "/", context });
}

async function copyInto(
  root: string,
  copy: {
    readonly selection: ReturnType<typeof selectionOf>;
    readonly destination: string;
    readonly context: RunContext;
  },
): Promise<void> {
  const { selection, destination, context } = copy;
  const parts = [{ kind: "files", selection, unpacks: false }] as const;
  await copyFiles({ root, rules: { destination }, parts }, { signal: context.signal });
}

async function placeSecret(
  mount: Extract<RunMount, { readonly type: "secret" }>,
  { secrets }: RunContext,
): Promise<PlacedMount> {
  const { id, target, variable, mode, uid, gid, isRequired } = mount;
  const data = await secrets?.get(id);
  if (!data && isRequired) throw new Fault("invalid", `secret ${id}: not found`, { about: id });
  if (!data) return {};
  if (data.length > maxSecret) {
    throw new Fault("exhausted", `the secret ${id} has more than ${maxSecret} bytes`, {
      about: id,
    });
  }
  return {
    ...(target !== undefined && { mount: { type: "file", data, target, mode, uid, gid } }),
    ...(variable !== undefined && { variable: `${variable}=${Buffer.from(data).toString()}` }),
  };
}

/** Layers as a file system; what is written to it goes with the scope. */
async function mountsOf(
  { snapshots }: Pick<RunParts, "snapshots">,
  layers: readonly StoredLayer[],
  { scope, isReadOnly }: { readonly scope: Scope; readonly isReadOnly: boolean },
): Promise<readonly Mount[]> {
  const chain = layers.at(-1)?.chainId;
  if (isReadOnly && chain !== undefined) return snapshots.plannedView(chain);
  return await snapshots.mounts(await privateSnapshot({ snapshots }, chain, scope));
}

/** A writable root over layers, for as long as the scope. */
export async function privateSnapshot(
  { snapshots }: Pick<RunParts, "snapshots">,
  chain: ChainId | undefined,
  scope: Scope,
): Promise<string> {
  const key = newId<ContainerId>();
  await snapshots.prepare(key, chain, { volatile: true });
  scope.defer(() => snapshots.remove(key));
  return key;
}
