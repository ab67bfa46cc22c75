import { statSync } from "node:fs";
import { defined } from "#base";
import {
  type Config,
  type ContainerSpecInput,
  containerSpec,
  type HostConfig,
  logPlan,
} from "#container";
import { parseCgroupParent } from "#runtime";
import type { TaskInput } from "#task";
import type { Parts } from "../parts.ts";
import { containerFiles } from "./container-files.ts";
import type { ContainerRecord } from "./container-record.ts";
import { ociMounts } from "./container-volumes.ts";
import { hostnameOf } from "./hostname.ts";
import type { PlannedStart } from "./planned-starts.ts";
import { sharedMemoryOf } from "./shared-memory.ts";
import type { ResolvedUser } from "./user.ts";

/** The facts of a run that are known only once it begins. */
export interface RunInput {
  readonly user: ResolvedUser;
  readonly joined: ContainerSpecInput["joined"];
  /** Places of parts of volumes and images, by target. */
  readonly sources?: ReadonlyMap<string, string>;
  readonly owners?: ContainerSpecInput["owners"];
}

/** Stand for namespaces that only a start makes or opens; a plan is the same whatever their paths are. */
export const unopened: ContainerSpecInput["joined"] = {
  network: "/proc/self/ns/net",
  pid: "/proc/self/ns/pid",
  ipc: "/proc/self/ns/ipc",
};

/**
 * The input of a container's task. Create, `--dry-run` and start all call this, so that the plan
 * that is checked and shown is the plan that is sent.
 */
export function taskInput(
  parts: Parts<"paths" | "tasks" | "snapshots" | "store" | "volumes">,
  record: ContainerRecord,
  { user, joined, sources, owners }: RunInput,
): TaskInput {
  const { id, config, host, root } = record;
  const spec = containerSpec({
    config,
    host,
    argv: record.argv,
    user,
    hostname: hostnameOf(record),
    files: containerFiles(parts, record),
    volumes: ociMounts(parts, record, defined({ sources, owners })),
    ...defined({ owners, shmSource: sharedMemoryOf(parts, record) }),
    joined,
    machine: parts.tasks.machine,
  });
  const log = logPlan(parts.paths.log(id), host.LogConfig, record);
  return {
    id,
    spec,
    root,
    stdio: stdioOf(config, host),
    ...defined({ log }),
    ...(host.CgroupParent !== "" && { cgroupParent: parseCgroupParent(host.CgroupParent) }),
    init: host.Init,
  };
}

/** The plan of a container that is not made yet; its files and missing binds count as what create makes them. */
export function plannedTask(
  parts: Parts<"paths" | "tasks" | "snapshots" | "store" | "volumes">,
  record: ContainerRecord,
  run: Omit<RunInput, "joined">,
): PlannedStart {
  const input = taskInput(parts, record, { ...run, joined: unopened });
  const own = `${parts.paths.container(record.id)}/`;
  const planned = parts.tasks.plan(input, {
    kindOf: (path) => (path.startsWith(own) ? "file" : kindOf(path)),
  });
  return { input, planned };
}

/** The same run with the namespaces that a start has made or opened. */
export function withJoined(input: TaskInput, joined: RunInput["joined"]): TaskInput {
  const { linux } = input.spec;
  const namespaces = linux?.namespaces?.map((namespace) =>
    namespace.path !== undefined && namespace.type === "network"
      ? { ...namespace, path: joined.network }
      : namespace,
  );
  return { ...input, spec: { ...input.spec, linux: { ...linux, ...defined({ namespaces }) } } };
}

/** A source that is missing will be made as a directory; a container may take one away at any time. */
function kindOf(path: string): "directory" | "file" {
  try {
    return statSync(path).isDirectory() ? "directory" : "file";
  } catch {
    return "directory";
  }
}

function stdioOf(
  config: Config,
  { ConsoleSize }: Pick<HostConfig, "ConsoleSize">,
): TaskInput["stdio"] {
  return {
    mode: config.Tty ? "pty" : "pipes",
    ...(config.Tty && ConsoleSize),
    stdin: config.OpenStdin,
    stdinOnce: config.OpenStdin && config.StdinOnce,
  };
}
