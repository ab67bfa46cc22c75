import { Fault, isFault } from "#base";
import type { Volume } from "#volume";
import { isUp } from "../containers/container-record.ts";
import { placedVolumes, usersOf } from "../containers/container-volumes.ts";
import type { Filters } from "../contract.ts";
import { booleanFilter, checkFilterKeys, matchesLabels, textTest } from "../filters.ts";
import type { Parts } from "../parts.ts";
import { exportVolume, importVolume } from "./volume-archive.ts";
import type { EngineVolumes, VolumeRequest, VolumeUsage } from "./volume-contract.ts";
import { anonymousLabel, publishVolume } from "./volume-event.ts";
import { parseSource, rollBackVolume, snapshotVolume } from "./volume-snapshots.ts";

type VolumeParts = Parts<"volumes" | "store" | "events" | "live" | "backupTable">;

/** The verbs of volumes over the parts of one engine. */
export function createVolumes(parts: VolumeParts): EngineVolumes {
  return {
    create: (request) => createVolume(parts, request),
    inspect: (name) => parts.volumes.inspect(name),
    list: async (filters) => {
      const chosen = volumeFilter(parts, filters);
      const asked = filters.driver?.length ? filters.driver : undefined;
      const { volumes, warnings } = await parts.volumes.list(asked);
      return { volumes: volumes.filter(chosen), warnings };
    },
    lend: async (name, borrower) => {
      await parts.volumes.holders.lend(name, borrower);
      return parts.volumes.get(name);
    },
    takeBack: (name, borrower) => parts.volumes.holders.takeBack(name, borrower),
    get: (name) => parts.volumes.get(name),
    quota: (name) => parts.volumes.quota(name),
    clone: (name, request) => cloneVolume(parts, name, request),
    snapshot: (name, request) => snapshotVolume(parts, name, request),
    snapshots: (name) => parts.volumes.copies.snapshots(name),
    removeSnapshot: (name, tag) => {
      parts.volumes.copies.removeSnapshot(name, tag);
      publishVolume(parts, "snapshot-destroy", name, { tag });
    },
    rollback: (name, tag, watch) => rollBackVolume(parts, name, tag, watch),
    export: (source) => exportVolume(parts, source),
    import: (request) => importVolume(parts, request),
    rename: (name, to) => renameVolume(parts, name, to),
    remove: (name, options) => removeVolume(parts, name, options),
    prune: (filters) => pruneVolumes(parts, filters),
    usage: () => volumeUsage(parts),
  };
}

async function createVolume(parts: VolumeParts, request: VolumeRequest): Promise<Volume> {
  const labels = request.name ? request.labels : { ...request.labels, ...anonymousLabel };
  const { volume, made } = await parts.volumes.create({ ...request, labels });
  if (made) publishVolume(parts, "create", volume.name, { driver: volume.driver });
  return await parts.volumes.inspect(volume.name);
}

/** How many containers have each volume. */
function countUsers(parts: Parts<"store">): ReadonlyMap<string, number> {
  const users = new Map<string, number>();
  for (const record of parts.store.all())
    for (const name of new Set(placedVolumes(record).map(({ volume }) => volume)))
      users.set(name, (users.get(name) ?? 0) + 1);
  return users;
}

function volumeFilter(parts: VolumeParts, filters: Filters): (volume: Volume) => boolean {
  checkFilterKeys(filters, ["dangling", "driver", "label", "name"]);
  const dangling = booleanFilter(filters, "dangling");
  const names = (filters.name ?? []).map((value) => textTest(value));
  const users = dangling === undefined ? undefined : countUsers(parts);
  return (volume) =>
    (names.length === 0 || names.some((matches) => matches(volume.name))) &&
    (!filters.driver?.length || filters.driver.includes(volume.driver)) &&
    matchesLabels(volume.labels ?? {}, filters.label ?? []) &&
    (users === undefined || !users.has(volume.name) === dangling);
}

/** Whether volumes with names are pruned as well; Docker parses this one by other means, and says so. */
function allFilter({ all = [] }: Filters): boolean {
  const [value = "false", ...more] = all;
  if (more.length > 0)
    throw new Fault(
      "invalid",
      `invalid filter 'all=[${all.join(" ")}]': only one value is expected`,
      {
        about: "all",
      },
    );
  if (/^(1|t|true)$/i.test(value)) return true;
  if (/^(0|f|false)$/i.test(value)) return false;
  const why = `strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`;
  throw new Fault("invalid", `invalid filter 'all': ${why}`, { about: "all" });
}

/** Its labels without Docker's mark of a name that was made up. */
function ownLabels({ labels }: Volume): Volume["labels"] {
  const [mark = ""] = Object.keys(anonymousLabel);
  if (!labels || !Object.hasOwn(labels, mark)) return labels;
  const { [mark]: _, ...own } = labels;
  return own;
}

async function cloneVolume(
  parts: VolumeParts,
  text: string,
  { to, owner, ...watch }: Parameters<EngineVolumes["clone"]>[1],
): ReturnType<EngineVolumes["clone"]> {
  const source = parseSource(text);
  const { name } = source;
  const volume = parts.volumes.get(name);
  const request = { name: to, labels: ownLabels(volume), options: volume.options, owner };
  const result = await parts.volumes.copies.clone(source, request, watch);
  publishVolume(parts, "create", to);
  const isRunning =
    source.snapshot === undefined &&
    usersOf(parts, name).some((id) => isUp(parts.store.get(id)?.state));
  const warning = `a running container has ${name}: files that it changed meanwhile may be torn in ${to}`;
  return { ...result, warnings: isRunning ? [warning] : [] };
}

async function renameVolume(parts: VolumeParts, name: string, to: string): Promise<Volume> {
  const volume = parts.volumes.get(name);
  refuseUsed(parts, "rename", name);
  const renamed = await parts.volumes.rename(name, to, ownLabels(volume));
  parts.backupTable.rename(name, to);
  publishVolume(parts, "rename", to, { oldName: name });
  return renamed;
}

function refuseUsed(parts: Parts<"store">, verb: string, name: string): void {
  const users = usersOf(parts, name);
  if (users.length > 0)
    throw new Fault("conflict", `${verb} ${name}: volume is in use - [${users.join(", ")}]`, {
      about: name,
    });
}

async function removeVolume(
  parts: VolumeParts,
  name: string,
  { force }: { readonly force: boolean },
): Promise<void> {
  const known = parts.volumes.find(name) ?? (await unknownVolume(parts, name, force));
  if (!known) return;
  refuseUsed(parts, "remove", name);
  await parts.volumes.remove(name, { force });
  parts.backupTable.forget(name);
  publishVolume(parts, "destroy", name, { driver: known.driver });
}

/** Remembers a volume that only a plugin knows; undefined with `force` when there is none. */
async function unknownVolume(
  parts: VolumeParts,
  name: string,
  force: boolean,
): Promise<Volume | undefined> {
  try {
    const { driver, owner } = await parts.volumes.inspect(name);
    return (await parts.volumes.create({ name, driver, owner })).volume;
  } catch (error) {
    if (force && isFault(error, "not_found")) return undefined;
    throw error;
  }
}

async function pruneVolumes(
  parts: VolumeParts,
  filters: Filters,
): Promise<{ readonly removed: readonly string[]; readonly bytes: number }> {
  checkFilterKeys(filters, ["all", "label", "label!"]);
  const all = allFilter(filters);
  const [mark = ""] = Object.keys(anonymousLabel);
  const label = [...(filters.label ?? []), ...(all ? [] : [mark])];
  const removed: string[] = [];
  let bytes = 0;
  const chosen = volumeFilter(parts, { label, dangling: ["true"] });
  for (const { name, labels = {}, driver, options = {} } of parts.volumes.known().filter(chosen)) {
    // As in Docker: a volume that stands for something elsewhere is never removed on the way.
    if (driver !== "local" || Object.keys(options).length > 0) continue;
    if ((filters["label!"] ?? []).some((each) => matchesLabels(labels, [each]))) continue;
    try {
      const size = await parts.volumes.size(name);
      await removeVolume(parts, name, { force: false });
      removed.push(name);
      bytes += size;
    } catch (error) {
      // Someone else uses or removes it by now: not ours to prune.
      if (!isFault(error, "conflict") && !isFault(error, "not_found")) throw error;
    }
  }
  parts.events.publish("volume", "prune", "", { reclaimed: String(bytes) });
  return { removed, bytes };
}

/** Volumes with options are left out, as in Docker: their files are elsewhere. */
async function volumeUsage(parts: VolumeParts): Promise<readonly VolumeUsage[]> {
  const users = countUsers(parts);
  const usage: VolumeUsage[] = [];
  for (const volume of parts.volumes.known()) {
    const isElsewhere = Object.keys(volume.options ?? {}).some((key) => key !== "size");
    if (volume.driver !== "local" || isElsewhere) continue;
    try {
      const bytes = await parts.volumes.size(volume.name);
      usage.push({ volume, bytes, containers: users.get(volume.name) ?? 0 });
    } catch (error) {
      if (!isFault(error, "not_found")) throw error;
    }
  }
  return usage;
}
