import { Fault, faultOf } from "#base";
import type { BackupSchedule, CopyWatch, Volume, VolumeSnapshot } from "#engine";
import {
  type JsonMessage,
  loadSchemas,
  TAR_TYPE,
  type WireFilters,
  type VolumeSnapshot as WireSnapshot,
  type Volume as WireVolume,
} from "#wire";
import type { ApiContext } from "./context.ts";
import type { Exchange } from "./exchange.ts";
import { withProgress } from "./progress-stream.ts";
import type { Route } from "./router.ts";
import { noSwarmManager } from "./swarm.ts";

/** Create, list, inspect, removal and prune of volumes. */
export function volumeRoutes(context: ApiContext): readonly Route[] {
  const { engine } = context;
  return [
    { method: "GET", pattern: "/volumes", handle: (exchange) => list(context, exchange) },
    {
      method: "POST",
      pattern: "/volumes/create",
      handle: (exchange) => create(context, exchange),
    },
    {
      method: "POST",
      pattern: "/volumes/prune",
      handle: (exchange) => prune(context, exchange),
    },
    {
      method: "GET",
      pattern: "/volumes/:name",
      handle: (exchange) => inspect(context, exchange),
    },
    {
      method: "POST",
      pattern: "/thimble/v1/volumes/:name/clone",
      handle: (exchange) => clone(context, exchange),
    },
    {
      method: "POST",
      pattern: "/thimble/v1/volumes/:name/rename",
      handle: (exchange) => rename(context, exchange),
    },
    {
      method: "GET",
      pattern: "/thimble/v1/volumes/:name/snapshots",
      handle: (exchange) => {
        const snapshots = engine.volumes.snapshots(exchange.param("name"));
        exchange.sendJson(200, { Snapshots: snapshots.map(wireSnapshot) });
      },
    },
    {
      method: "POST",
      pattern: "/thimble/v1/volumes/:name/snapshots",
      handle: (exchange) => snapshot(context, exchange),
    },
    {
      method: "DELETE",
      pattern: "/thimble/v1/volumes/:name/snapshots/:tag",
      handle: (exchange) => {
        engine.volumes.removeSnapshot(exchange.param("name"), exchange.param("tag"));
        exchange.sendEmpty(204);
      },
    },
    {
      method: "POST",
      pattern: "/thimble/v1/volumes/:name/rollback",
      handle: (exchange) => rollBack(context, exchange),
    },
    {
      method: "GET",
      pattern: "/thimble/v1/volumes/:name/archive",
      handle: (exchange) =>
        exchange.stream(TAR_TYPE, engine.volumes.export(exchange.param("name")), { steady: true }),
    },
    {
      method: "PUT",
      pattern: "/thimble/v1/volumes/:name/archive",
      handle: (exchange) => importArchive(context, exchange),
    },
    {
      method: "PUT",
      pattern: "/thimble/v1/volumes/:name/loans/:borrower",
      handle: async (exchange) => {
        const borrower = checkBorrower(exchange.param("borrower"));
        const volume = await engine.volumes.lend(exchange.param("name"), borrower);
        exchange.sendJson(200, wireVolume(volume));
      },
    },
    {
      method: "DELETE",
      pattern: "/thimble/v1/volumes/:name/loans/:borrower",
      handle: async (exchange) => {
        const borrower = checkBorrower(exchange.param("borrower"));
        await engine.volumes.takeBack(exchange.param("name"), borrower);
        exchange.sendEmpty(204);
      },
    },
    { method: "PUT", pattern: "/volumes/:name", handle: update },
    {
      method: "DELETE",
      pattern: "/volumes/:name",
      handle: async (exchange) => {
        const force = exchange.query.flag("force");
        await engine.volumes.remove(exchange.param("name"), { force });
        exchange.sendEmpty(204);
      },
    },
  ];
}

async function inspect({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const volume = limitedVolume(engine, await engine.volumes.inspect(exchange.param("name")));
  const status = backupStatus(engine.backups.schedules(), volume.Name);
  if (!status) exchange.sendJson(200, volume);
  else exchange.sendJson(200, { ...volume, Status: { ...volume.Status, ...status } });
}

/** How the scheduled backups of a volume are doing. */
function backupStatus(
  schedules: readonly BackupSchedule[],
  name: string,
): Readonly<Record<string, string>> | undefined {
  const own = schedules.filter(({ volume }) => volume === name);
  if (own.length === 0) return undefined;
  const last = Math.max(...own.map((each) => each.last ?? 0));
  const errors = own.flatMap(({ error }) => error ?? []);
  return {
    ...(last > 0 && { LastBackup: secondsText(BigInt(last) * 1_000_000n) }),
    ...(errors.length > 0 && { BackupError: errors.join("; ") }),
  };
}

/** A volume as Docker shows it; when it was last used is in its status, which is the driver's to fill. */
export function wireVolume(volume: Volume): WireVolume {
  const { name, driver, labels, options, path, createdAt, lastUsed, scope, status } = volume;
  const used = lastUsed > 0n ? { LastUsed: secondsText(lastUsed) } : undefined;
  return {
    ...(createdAt > 0n && { CreatedAt: secondsText(createdAt) }),
    Driver: driver,
    Labels: labels ?? null,
    Mountpoint: path,
    Name: name,
    Options: options ?? null,
    Scope: scope ?? "local",
    ...((status ?? used) && { Status: { ...status, ...used } }),
  };
}

/** With the limit of one that has any, and its use, in bytes. */
function limitedVolume(engine: ApiContext["engine"], volume: Volume): WireVolume {
  const shown = wireVolume(volume);
  const isLimited = volume.driver === "local" && volume.options?.size !== undefined;
  const quota = isLimited ? engine.volumes.quota(volume.name) : undefined;
  if (!quota) return shown;
  return { ...shown, Status: { ...shown.Status, Limit: quota.limit, Used: quota.used } };
}

/** Lists may have thousands of them, so without arithmetic on bigints. */
function secondsText(time: bigint): string {
  return `${new Date(Number(time / 1_000_000n)).toISOString().slice(0, 19)}Z`;
}

function listFilters({ query }: Exchange): WireFilters {
  try {
    query.filters();
  } catch (cause) {
    const message = `error reading volume filters: ${faultOf(cause).message}`;
    throw new Fault("invalid", message, { cause });
  }
  return query.filters(["dangling", "driver", "label", "name"]);
}

async function list({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const filters = listFilters(exchange);
  const { volumes, warnings } = await engine.volumes.list(filters);
  exchange.sendJson(200, {
    Volumes: volumes.map((volume) => limitedVolume(engine, volume)),
    Warnings: warnings.length > 0 ? warnings : null,
  });
}

async function create({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const { volumeCreateSchema } = await loadSchemas();
  const body = await exchange.json(volumeCreateSchema);
  if (body.ClusterVolumeSpec && exchange.has("clusterVolumes")) throw noSwarmManager();
  const volume = await engine.volumes.create({
    name: body.Name ?? undefined,
    driver: body.Driver ?? undefined,
    options: body.DriverOpts ?? undefined,
    labels: body.Labels ?? undefined,
    owner: exchange.owner,
  });
  exchange.sendJson(201, wireVolume(volume));
}

/** As Docker's engine calls a mount: some 64 digits. */
function checkBorrower(borrower: string): string {
  if (/^[\w.-]{1,128}$/.test(borrower)) return borrower;
  throw new Fault("invalid", "a borrower is told by 1 to 128 letters, digits, and any of _ . -", {
    about: borrower,
  });
}

/** Docker's own answer of an engine that is in no swarm. */
function update(): never {
  throw new Fault(
    "unavailable",
    "volume update only valid for cluster volumes, but swarm is unavailable",
  );
}

/**
 * Answers what a copy of a volume's files gives when it is over; a client that asks for its progress
 * has a stream of JSON messages, of which the last has the answer.
 */
async function answerCopy(
  exchange: Exchange,
  status: number,
  work: (watch: CopyWatch) => Promise<NonNullable<JsonMessage["aux"]>>,
): Promise<void> {
  const { signal } = exchange;
  if (!exchange.query.flag("progress")) {
    exchange.sendJson(status, await work({ signal }));
    return;
  }
  const id = exchange.param("name");
  const onCopied = (current: number) =>
    exchange.progress({ id, status: "Copying", progressDetail: { current } });
  await withProgress(exchange, async () =>
    exchange.progress({ aux: await work({ signal, onCopied }) }),
  );
}

/** thimble's own: a volume with the files of another. */
async function clone({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const request = { to: newName(exchange), owner: exchange.owner };
  await answerCopy(exchange, 201, async (watch) => {
    const made = await engine.volumes.clone(exchange.param("name"), { ...request, ...watch });
    const { volume, copied, warnings } = made;
    return { Volume: wireVolume(volume), Copied: copied, Warnings: warnings };
  });
}

function wireSnapshot({ volume, tag, createdAt, path }: VolumeSnapshot): WireSnapshot {
  return { Volume: volume, Tag: tag, CreatedAt: secondsText(createdAt), Mountpoint: path };
}

/** thimble's own: a volume's files as they are now, kept under a tag. */
async function snapshot({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const { query } = exchange;
  const request = { tag: query.text("tag"), pause: !query.has("pause") || query.flag("pause") };
  await answerCopy(exchange, 201, async (watch) => {
    const made = await engine.volumes.snapshot(exchange.param("name"), { ...request, ...watch });
    const { copied, paused, warnings } = made;
    return {
      Snapshot: wireSnapshot(made.snapshot),
      Copied: copied,
      Paused: paused ? { Containers: paused.containers, Milliseconds: paused.milliseconds } : null,
      Warnings: warnings,
    };
  });
}

async function rollBack({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const tag = exchange.query.text("tag");
  if (!tag) throw new Fault("invalid", "the query parameter tag=TAG is missing: the snapshot");
  await answerCopy(exchange, 200, async (watch) => {
    const { copied } = await engine.volumes.rollback(exchange.param("name"), tag, watch);
    return { Copied: copied };
  });
}

/** thimble's own: the files of a tar for a volume, which is made if it is missing. */
async function importArchive({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const { volume, entries, bytes } = await engine.volumes.import({
    name: exchange.param("name"),
    owner: exchange.owner,
    archive: exchange.steadyBody,
    replaces: exchange.query.flag("replace"),
    signal: exchange.signal,
  });
  exchange.sendJson(200, { Volume: wireVolume(volume), Entries: entries, Bytes: bytes });
}

async function rename({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const volume = await engine.volumes.rename(exchange.param("name"), newName(exchange));
  exchange.sendJson(200, wireVolume(volume));
}

function newName({ query }: Exchange): string {
  const to = query.text("to");
  if (!to) throw new Fault("invalid", "the query parameter to=NAME is missing: the new name");
  return to;
}

async function prune({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const sent = exchange.query.filters(["all", "label", "label!"]);
  const filters = exchange.has("anonymousPrune")
    ? sent
    : { ...sent, all: [...new Set([...(sent.all ?? []), "true"])] };
  const { removed, bytes } = await engine.volumes.prune(filters);
  exchange.sendJson(200, {
    VolumesDeleted: removed,
    SpaceReclaimed: bytes,
  });
}
