import { defined, formatBytes } from "#base";
import type { BuildCacheRecord, WireFilters } from "#wire";
import { cacheSize } from "../build/cache-size.ts";
import type { Verb } from "../command.ts";
import { confirm } from "../confirm.ts";
import type { Context } from "../context.ts";
import { Exit } from "../failure.ts";
import { humanSince } from "../human.ts";
import { printListing, type Row } from "../listing.ts";
import type { builderDuFlags, builderPruneFlags } from "../table/builder.ts";

const heads = {
  ID: "ID",
  Reclaimable: "RECLAIMABLE",
  Size: "SIZE",
  LastUsedAt: "LAST ACCESSED",
};
const table = "table {{.ID}}\t{{.Reclaimable}}\t{{.Size}}\t{{.LastUsedAt}}";

export const builderDu: Verb<typeof builderDuFlags> = async (context, { flags }) => {
  requireDefault(flags.builder);
  const records = (await recordsOf(context)).filter((record) => matches(record, flags.filter));
  if (flags.verbose) {
    await context.out.write(records.map(details).join("\n"));
  } else await printListing(context, { table, heads, rows: records.map(recordRow) }, flags);
  if (flags.json || (flags.format !== undefined && !flags.verbose)) return 0;
  const free = cacheSize(records.filter(({ InUse }) => !InUse));
  const shared = cacheSize(records.filter(({ Shared }) => Shared));
  const total = cacheSize(records);
  const totals = [
    ...(shared > 0 ? [`Shared:\t\t${bytes(shared)}`, `Private:\t${bytes(total - shared)}`] : []),
    `Reclaimable:\t${bytes(free)}`,
    `Total:\t\t${bytes(total)}`,
  ];
  await context.out.write(`${totals.join("\n")}\n`);
  return 0;
};

export const pruneBuilder: Verb<typeof builderPruneFlags> = async (context, { flags }) => {
  requireDefault(flags.builder);
  const kind = flags.all ? "all build cache" : "all dangling build cache";
  if (!flags.force && !(await confirm(context, `This will remove ${kind}.`))) return 0;
  const before = await recordsOf(context);
  const { CachesDeleted, SpaceReclaimed } = await context.client.builds.prune({
    all: flags.all,
    filters: flags.filter,
    ...defined({
      reservedSpace: flags["keep-storage"],
      maxUsedSpace: flags["max-used-space"],
      minFreeSpace: flags["min-free-space"],
    }),
  });
  const removed = new Set(CachesDeleted ?? []);
  const records = before.filter(({ ID }) => removed.has(ID));
  if (flags.verbose) await context.out.write(records.map((each) => `${details(each)}\n`).join(""));
  else if (records.length > 0) {
    const own = { format: undefined, json: false };
    await printListing(context, { table, heads, rows: records.map(recordRow) }, own);
  }
  await context.out.write(`Total:\t${bytes(SpaceReclaimed)}\n`);
  return 0;
};

async function recordsOf({ client }: Context): Promise<readonly BuildCacheRecord[]> {
  const { BuildCache } = await client.system.diskUsage(["build-cache"]);
  return [...(BuildCache ?? [])].sort((a, b) => a.Size - b.Size);
}

function requireDefault(builder: string | undefined): void {
  if (builder === undefined || builder === "" || builder === "default") return;
  throw new Exit(
    1,
    `ERROR: no builder ${JSON.stringify(builder)} found; the engine is the only one`,
  );
}

/** By the keys that docker's engine takes for a prune. */
function matches(record: BuildCacheRecord, filters: WireFilters): boolean {
  return Object.entries(filters).every(([key, values]) =>
    values.some((value) => {
      if (key === "id") return record.ID.startsWith(value);
      if (key === "type") return record.Type === value;
      if (key === "description") return record.Description.includes(value);
      if (key === "parent") return record.Parents?.includes(value) ?? false;
      if (key === "inuse") return record.InUse === (value !== "false");
      if (key === "shared") return record.Shared === (value !== "false");
      if (key === "private") return record.Shared === (value === "false");
      throw new Exit(
        1,
        `ERROR: invalid filter '${key}'; use id, type, description, parent, inuse, shared or private`,
      );
    }),
  );
}

/** A record of the cache as a row of a list. */
function recordRow(record: BuildCacheRecord): Row {
  return {
    ID: record.ID,
    Parents: record.Parents ?? [],
    Type: record.Type,
    Description: record.Description,
    Reclaimable: !record.InUse,
    Shared: record.Shared,
    Size: bytes(record.Size),
    CreatedAt: record.CreatedAt,
    LastUsedAt: lastUse(record),
    UsageCount: record.UsageCount,
  };
}

function details(record: BuildCacheRecord): string {
  const fields = [
    ["ID", record.ID],
    ...(record.Parents?.length ? [["Parents", record.Parents.join(", ")]] : []),
    ["Created at", record.CreatedAt],
    ["Reclaimable", String(!record.InUse)],
    ["Shared", String(record.Shared)],
    ["Size", bytes(record.Size)],
    ["Description", record.Description],
    ["Usage count", String(record.UsageCount)],
    ["Last used", lastUse(record)],
    ["Type", record.Type],
  ];
  return fields.map(([name, value]) => `${`${name}:`.padEnd(13)} ${value}\n`).join("");
}

function lastUse({ LastUsedAt }: BuildCacheRecord): string {
  return LastUsedAt ? humanSince(Date.parse(LastUsedAt)) : "";
}

function bytes(count: number): string {
  return formatBytes(Math.max(0, count), 4);
}
