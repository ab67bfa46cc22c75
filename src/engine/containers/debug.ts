import { existsSync } from "node:fs";
import { type ContainerId, Fault, faultOf, newId, Scope } from "#base";
import { bindsOf, type ContainerSpecInput, cleanTarget, containerSpec } from "#container";
import { descriptorPath } from "#kernel";
import { parseCgroupParent } from "#runtime";
import type { Task, TaskExit, TaskInput } from "#task";
import type { DebugRequest, DebugSession } from "../contract.ts";
import { crashPoint } from "../crash-point.ts";
import type { Parts } from "../parts.ts";
import { attachedStream } from "./attach.ts";
import { bindOwners } from "./bind-owners.ts";
import { imageMount, keepImages, placeImage } from "./container-images.ts";
import { type ContainerRecord, goesOn } from "./container-record.ts";
import { allowRemount } from "./container-tree.ts";
import { holdForView, ociMounts } from "./container-volumes.ts";
import { type LiveDebug, requireUndebugged } from "./debug-session.ts";
import { hostnameOf } from "./hostname.ts";
import { unopened } from "./task-input.ts";
import { lookupUser } from "./user-lookup.ts";

type DebugParts = Parts<
  | "paths"
  | "tasks"
  | "networks"
  | "snapshots"
  | "volumes"
  | "content"
  | "trust"
  | "store"
  | "locks"
  | "live"
  | "debugging"
  | "background"
  | "closing"
>;

/** In /dev, which is the task's own, so that the container keeps no trace of it. */
const place = "/dev/tools";
const busybox = `${place}/image/bin/busybox`;
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** The applets come by their names; a user without rights to make the links has busybox itself. */
const begin = `${busybox} mkdir ${place}/bin && ${busybox} --install -s ${place}/bin
exec "$@"`;

/**
 * Runs a program on the files of a container that does not run, as the container would see them
 * and writable, with the tools of an image beside them. The task has no row: when the engine is
 * killed, the next one ends it before any container starts.
 */
export async function debugContainer(
  parts: DebugParts,
  ref: string,
  request: DebugRequest,
): Promise<DebugSession> {
  const { id } = parts.store.find(ref);
  return await parts.locks.run(id, async () => {
    const record = parts.store.find(id);
    checkDebuggable(parts, record);
    await parts.live.get(id)?.settled;
    await using scope = new Scope();
    const task = await makeTask(parts, { record, request, scope });
    crashPoint("debug:launched");
    const { stdin, tty } = request;
    const { input, output } = await task.attach({ stdin, stdout: true, stderr: true });
    await task.start().catch((error) => {
      throw startFault(request, faultOf(error));
    });
    crashPoint("debug:started");
    const ended = follow(parts, { id, task, scope });
    const owned = attachedStream(input, output, tty);
    return {
      streams: owned,
      ended: ended.then(({ exitCode }) => exitCode),
      [Symbol.asyncDispose]: async () => {
        await owned[Symbol.asyncDispose]();
        await task.killAll();
        await ended;
      },
    };
  });
}

function checkDebuggable(parts: Parts<"debugging">, record: ContainerRecord): void {
  const { state, name, host, placed } = record;
  if (goesOn(state))
    throw new Fault("conflict", `container ${name} is ${state.status}, and not stopped`, {
      about: name,
    });
  requireUndebugged(parts, record, "has one set of tools at a time");
  const targets = [...bindsOf(host), ...placed, ...host.Tmpfs, ...host.Mounts.tmpfs];
  if (targets.some(({ target }) => [place, "/dev"].includes(cleanTarget(target))))
    throw new Fault(
      "unsupported",
      `container ${name} has a mount of its own at /dev, where the tools would be`,
      { about: name },
    );
}

interface TaskRequest {
  readonly record: ContainerRecord;
  readonly request: DebugRequest;
  /** Owns what the task needs besides itself. */
  readonly scope: Scope;
}

async function makeTask(parts: DebugParts, { record, request, scope }: TaskRequest): Promise<Task> {
  const id = newId<ContainerId>();
  const tools = placeImage(parts, { image: request.image, target: `${place}/image`, subpath: "" });
  await keepImages(parts, { id, placed: [tools] }, scope);
  await allowRemount(record);
  const sources = await holdForView(parts, record, { holder: id, scope });
  const netns = scope.use(await parts.networks.isolated());
  const wanted = { user: request.user || record.config.User, groupAdd: record.host.GroupAdd };
  const user = await lookupUser(parts.snapshots, record.id, wanted);
  const owners = await bindOwners(parts, record, { key: record.id, user });
  const volumes = [
    ...ociMounts(parts, record, { sources, owners }),
    { destination: place, type: "tmpfs", source: "tmpfs", options: ["mode=1777", "size=4m"] },
    imageMount(parts, tools, undefined),
  ];
  const spec = containerSpec({
    ...{ ...debugged(record, request), user, volumes, owners },
    hostname: hostnameOf(record),
    joined: { ...unopened, network: descriptorPath(netns) },
    machine: parts.tasks.machine,
  });
  scope.defer(() => parts.tasks.remove(id));
  return scope.use(await parts.tasks.create({ ...inputOf(record, request), id, spec }));
}

/** The container's own environment, directory and limits, in namespaces of its own. */
function debugged(
  { config, host, files }: ContainerRecord,
  { argv, tty }: DebugRequest,
): Pick<ContainerSpecInput, "config" | "host" | "argv" | "files"> {
  const path = config.Env.findLast((each) => each.startsWith("PATH="))?.slice(5) ?? defaultPath;
  const command = argv.length > 0 ? argv : ["sh"];
  const present = (file: string) => (existsSync(file) ? file : "");
  return {
    config: { ...config, Tty: tty, Env: [...config.Env, `PATH=${place}/bin:${path}`] },
    host: {
      ...{ ...host, NetworkMode: "none", PidMode: "", IpcMode: "private", UTSMode: "" },
      ReadonlyRootfs: false,
    },
    argv: [busybox, "sh", "-c", begin, "debug", ...command],
    // Its own once it has been started.
    files: {
      hostname: present(files.hostname),
      hosts: present(files.hosts),
      resolvConf: present(files.resolvConf),
    },
  };
}

function inputOf(
  { root, host }: ContainerRecord,
  { tty, stdin }: DebugRequest,
): Omit<TaskInput, "id" | "spec"> {
  return {
    root,
    stdio: { mode: tty ? "pty" : "pipes", stdin, stdinOnce: stdin },
    ...(host.CgroupParent !== "" && { cgroupParent: parseCgroupParent(host.CgroupParent) }),
    init: true,
  };
}

/** Gives everything back at the end of the tools, or with the engine's own. */
function follow(
  parts: DebugParts,
  { id, task, scope }: { readonly id: ContainerId; readonly task: Task; readonly scope: Scope },
): Promise<TaskExit> {
  const ended = Promise.withResolvers<TaskExit>();
  const session: LiveDebug = { task, views: new Set(), ended: ended.promise };
  const owned = scope.release();
  parts.debugging.set(id, session);
  void parts.background.run(`debugging container ${id}`, async () => {
    try {
      const exit = await parts.closing.until(task.exited);
      if (!exit) await task.killAll();
      await task.released;
      await Promise.all(session.views);
    } finally {
      await owned.disposeAsync();
      parts.debugging.delete(id);
      ended.resolve(await task.exited);
    }
  });
  return ended.promise;
}

/** Only a program without a loader and libraries runs where the container has neither. */
function startFault({ image }: DebugRequest, fault: Fault): Fault {
  if (fault.stage !== "exec" || fault.errno !== "ENOENT") return fault;
  return new Fault(
    "invalid",
    `the tools of a container that is stopped come from a statically linked /bin/busybox, which image ${image} does not have`,
    { about: image, cause: fault },
  );
}
