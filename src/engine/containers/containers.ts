import { type ContainerId, isFault } from "#base";
import type {
  AttachRequest,
  Containers,
  CreateRequest,
  Filters,
  LogRequest,
  WaitCondition,
} from "../contract.ts";
import { checkFilterKeys, matchesLabels, untilFilter } from "../filters.ts";
import { removeLink } from "../networks/links.ts";
import type { Parts } from "../parts.ts";
import { attachContainer } from "./attach.ts";
import { changeLogOptions } from "./change-log.ts";
import { addPorts, removePorts } from "./change-ports.ts";
import { publishContainer } from "./container-event.ts";
import { listContainers } from "./container-list.ts";
import { containerLogs } from "./container-logs.ts";
import { goesOn } from "./container-record.ts";
import { containerSize, exportContainer } from "./container-tree.ts";
import { viewContainer, viewListed } from "./container-view.ts";
import { type CreateParts, createContainer, planContainer, rehearsePlan } from "./create.ts";
import { resizeDebug } from "./debug-session.ts";
import { killContainer, type StopOptions, stopContainer } from "./kill.ts";
import { requireUp } from "./live-container.ts";
import { parseName } from "./name.ts";
import { pauseContainer, unpauseContainer } from "./pause.ts";
import { type RemoveParts, removeContainer } from "./remove.ts";
import { restartContainer } from "./restart.ts";
import { type StartParts, startContainer } from "./start.ts";
import { containerStats } from "./stats.ts";
import { topContainer } from "./top.ts";
import { updateContainer } from "./update.ts";

/** The parts that the verbs of containers touch together; the registry is not among them. */
type ContainerParts = CreateParts & StartParts;

/** The verbs of containers over the parts of one engine. */
export function createContainers(parts: ContainerParts): Containers {
  const { metrics } = parts;
  return {
    create: (request: CreateRequest) =>
      metrics.timed("create", () => createContainer(parts, request)),
    plan: (request: CreateRequest) => planContainer(parts, request),
    rehearse: (request: CreateRequest) => rehearsePlan(parts, request),
    start: (ref) => metrics.timed("start", () => startContainer(parts, ref)),
    stop: (ref, options: StopOptions) => stopContainer(parts, ref, options),
    restart: (ref, options: StopOptions) => restartContainer(parts, ref, options),
    kill: (ref, signal) => killContainer(parts, ref, signal),
    pause: (ref) => pauseContainer(parts, ref),
    unpause: (ref) => unpauseContainer(parts, ref),
    remove: (ref, options) => removeContainer(parts, ref, options),
    removeLink: (ref, alias) => removeLink(parts, ref, alias),
    rename: (ref, name) => renameContainer(parts, ref, name),
    wait: async (ref, condition) => ({ result: waitContainer(parts, ref, condition) }),
    get: (ref) => viewContainer(parts, parts.store.find(ref)),
    list: (options) => listContainers(parts, options).map((record) => viewListed(parts, record)),
    logs: (ref, request: LogRequest) => containerLogs(parts, ref, request),
    attach: async (ref, request: AttachRequest) => {
      const attached = await attachContainer(parts, ref, request);
      publishContainer(parts, parts.store.find(ref), "attach");
      return attached;
    },
    resize: (ref, size) => resizeContainer(parts, ref, size),
    size: (ref) => containerSize(parts, ref),
    update: (ref, body) => updateContainer(parts, ref, body),
    stats: (ref) => containerStats(parts, ref),
    top: async (ref, psArguments) => {
      const processes = await topContainer(parts, ref, psArguments);
      publishContainer(parts, parts.store.find(ref), "top");
      return processes;
    },
    export: (ref) => exportContainer(parts, ref),
    changes: async (ref) => {
      const { containerChanges } = await import("./container-changes.ts");
      return await metrics.timed("changes", () => containerChanges(parts, ref));
    },
    commit: async (ref, request, signal) => {
      const { commitContainer } = await import("./commit.ts");
      return await metrics.timed("commit", () => commitContainer(parts, ref, request, signal));
    },
    diagnose: async (ref) => {
      const { diagnoseContainer } = await import("./diagnose.ts");
      return await diagnoseContainer(parts, ref);
    },
    debug: async (ref, request) => {
      const { debugContainer } = await import("./debug.ts");
      return await debugContainer(parts, ref, request);
    },
    resizeDebug: (ref, size) => resizeDebug(parts, ref, size),
    changeLogOptions: (ref, options) => changeLogOptions(parts, ref, options),
    addPorts: (ref, bindings) => addPorts(parts, ref, bindings),
    removePorts: (ref, bindings) => removePorts(parts, ref, bindings),
    prune: (filters) => pruneContainers(parts, filters),
  };
}

async function renameContainer(
  parts: Parts<"store" | "events" | "locks">,
  ref: string,
  name: string,
): Promise<void> {
  const { id, name: before } = parts.store.find(ref);
  const wanted = parseName(name);
  await parts.locks.run(id, async () => {
    using _name = parts.store.reserve(wanted, id);
    parts.store.rename(id, wanted);
  });
  publishContainer(parts, parts.store.find(id), "rename", { oldName: `/${before}` });
}

/** Registered when this returns; the promise settles when the condition holds. */
function waitContainer(parts: Parts<"store" | "waits">, ref: string, condition: WaitCondition) {
  const { id, state } = parts.store.find(ref);
  if (condition === "not-running" && !goesOn(state)) {
    return Promise.resolve({
      exitCode: state.exitCode,
      ...(state.error !== "" && { error: state.error }),
    });
  }
  return parts.waits.add(id, condition);
}

async function resizeContainer(
  parts: Parts<"store" | "events" | "live">,
  ref: string,
  size: { readonly rows: number; readonly columns: number },
): Promise<void> {
  const record = parts.store.find(ref);
  const { task } = requireUp(parts, record);
  // Docker takes the size of what is no terminal too.
  if (record.config.Tty) await task.resize(size);
  publishContainer(parts, record, "resize", {
    height: String(size.rows),
    width: String(size.columns),
  });
}

async function pruneContainers(
  parts: RemoveParts & Parts<"clock">,
  filters: Filters,
): Promise<{ readonly removed: readonly ContainerId[]; readonly bytes: number }> {
  checkFilterKeys(filters, ["until", "label", "label!"]);
  const until = untilFilter(filters, parts.clock.now());
  const removed: ContainerId[] = [];
  let bytes = 0;
  for (const { id, state, createdAt, config } of [...parts.store.all()]) {
    if (goesOn(state)) continue;
    if (until !== undefined && createdAt > until) continue;
    if (!matchesLabels(config.Labels, filters.label ?? [])) continue;
    if ((filters["label!"] ?? []).some((label) => matchesLabels(config.Labels, [label]))) continue;
    try {
      const { writable } = await containerSize(parts, id);
      await removeContainer(parts, id, { force: false, volumes: false });
      removed.push(id);
      bytes += writable;
    } catch (error) {
      // Someone else removes or starts it: not ours to prune.
      if (!isFault(error, "conflict") && !isFault(error, "not_found")) throw error;
    }
  }
  parts.events.publish("container", "prune", "", { reclaimed: String(bytes) });
  return { removed, bytes };
}
