import { existsSync } from "node:fs";
import { type ContainerId, Fault, isFault, newId, Scope } from "#base";
import { bindsOf, containerSpec } from "#container";
import { type Fd, type Mount, mountRootOf, O_DIRECTORY, O_PATH, openat2, startTime } from "#kernel";
import { mountPoints } from "#snapshot";
import type { Task, TaskInput } from "#task";
import { bindOwners } from "../containers/bind-owners.ts";
import { type ContainerRecord, isUp } from "../containers/container-record.ts";
import { allowRemount } from "../containers/container-tree.ts";
import { holdForView, ociMounts } from "../containers/container-volumes.ts";
import { hostnameOf } from "../containers/hostname.ts";
import type { LiveContainer } from "../containers/live-container.ts";
import { unopened } from "../containers/task-input.ts";
import { lookupUser } from "../containers/user-lookup.ts";
import { makeMountPoint } from "../images/image-mount.ts";
import type { Parts } from "../parts.ts";

/** The parts that a look at files touches. */
export type ViewParts = Parts<
  "paths" | "tasks" | "snapshots" | "volumes" | "store" | "live" | "debugging" | "locks"
>;

/** The files of a container, mounted apart until it is disposed of. */
export interface ContainerView extends AsyncDisposable {
  readonly record: ContainerRecord;
  /** The root; only what is resolved within it (RESOLVE_IN_ROOT) stays in the container. */
  readonly root: Fd;
}

/**
 * Mounts a container's root and what it binds in the mount namespace of a task without a program:
 * nothing shows in the host's namespace, and what a crash leaves is what the sweep of tasks finds. The root of one that runs is its own; that of another is mounted, under its lock.
 */
export async function openView(parts: ViewParts, ref: string): Promise<ContainerView> {
  const { id } = parts.store.find(ref);
  return (await viewOfLive(parts, id)) ?? (await viewOfStopped(parts, id));
}

/** Of one that runs, or that tools work on; undefined when neither is so, or ends just now. */
async function viewOfLive(parts: ViewParts, id: ContainerId): Promise<ContainerView | undefined> {
  const live = isUp(parts.store.get(id)?.state) ? parts.live.get(id) : parts.debugging.get(id);
  if (!live) return undefined;
  await using scope = new Scope();
  keepRoot(live, scope);
  const source = await makeMountPoint(parts, scope);
  try {
    using namespace = live.task.openNamespace("mount");
    scope.use(await mountRootOf(namespace, source, { guarded: true }));
  } catch (error) {
    if (isFault(error, "conflict")) return undefined;
    throw error;
  }
  const root = { type: "bind", source, options: ["bind", "nosuid", "nodev"] };
  return await mountView(parts, { record: parts.store.find(id), root, scope });
}

/** The next run mounts the root anew, which no two mounts may write to: it waits. */
function keepRoot({ views }: Pick<LiveContainer, "views">, scope: Scope): void {
  const { promise, resolve } = Promise.withResolvers<void>();
  views.add(promise);
  scope.defer(() => {
    views.delete(promise);
    resolve();
  });
}

async function viewOfStopped(parts: ViewParts, id: ContainerId): Promise<ContainerView> {
  await using scope = new Scope();
  {
    await using waiting = new Scope();
    waiting.use(await parts.locks.hold(id));
    // It may have been started while this waited.
    if (!isUp(parts.store.find(id).state) && !parts.debugging.has(id)) {
      await parts.live.get(id)?.settled;
      scope.use(waiting.release());
      const record = parts.store.find(id);
      await allowRemount(record);
      return await mountView(parts, { record, root: record.root, scope });
    }
  }
  const live = await viewOfLive(parts, id);
  if (live) return live;
  throw new Fault("conflict", `container ${id} is being started or stopped; try again`);
}

interface ViewRequest {
  readonly record: ContainerRecord;
  readonly root: Mount;
  /** Owns what was acquired; handed on to the view. */
  readonly scope: Scope;
}

async function mountView(parts: ViewParts, request: ViewRequest): Promise<ContainerView> {
  const { record, root, scope } = request;
  const id = newId<ContainerId>();
  const sources = await holdForView(parts, record, { holder: id, scope });
  const spec = await viewSpec(parts, record, sources);
  const stdio = { mode: "null", stdin: false, stdinOnce: false } as const;
  const task = await parts.tasks.create({ id, spec, root, stdio, init: false, sandbox: true });
  scope.defer(() => endTask(parts, task));
  await task.start();
  const opened = scope.use(openRootOf(task));
  const owned = scope.release();
  return { record, root: opened, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** Only the task's own: another process that got its pid may have the host's root. */
function openRootOf({ pid, startTime: begun }: Task): Fd {
  const root = openat2(undefined, `/proc/${pid}/root`, { flags: O_PATH | O_DIRECTORY });
  if (startTime(pid) === begun) return root;
  root.close();
  throw new Fault("unavailable", "the process that held the files of the container has ended");
}

async function endTask(parts: Parts<"tasks">, task: Task): Promise<void> {
  await task.killAll();
  await task.released;
  await parts.tasks.remove(task.id);
}

/** A namespace of mounts and nothing else, with those of the container's that have files on a disk. */
async function viewSpec(
  parts: ViewParts,
  record: ContainerRecord,
  sources: ReadonlyMap<string, string>,
): Promise<TaskInput["spec"]> {
  const wanted = { user: record.config.User, groupAdd: [] };
  const user = await lookupUser(parts.snapshots, record.id, wanted).catch(() => root);
  const owners = await bindOwners(parts, record, { key: record.id, user });
  const { config, host, argv, files, placed } = record;
  const volumes = ociMounts(parts, record, { sources, owners });
  const hostname = hostnameOf(record);
  const { machine } = parts.tasks;
  const whole = containerSpec({
    ...{ config, host, argv, files, user, hostname, volumes, owners, joined: unopened, machine },
  });
  const shown = new Set([...bindsOf(host), ...placed].map(({ target }) => target));
  const mounts = (whole.mounts ?? []).filter(
    ({ destination, source = "" }) =>
      shown.has(destination) ||
      // Its own hosts, hostname and resolv.conf, once it has been started.
      (mountPoints.includes(destination.slice(1)) && existsSync(source)),
  );
  return {
    ociVersion: whole.ociVersion,
    root: { path: "", readonly: false },
    mounts,
    linux: { namespaces: [{ type: "mount" }] },
  };
}

const root = { uid: 0, gid: 0, additionalGids: [], home: "/" };
