import { formatBytes } from "#base";
import type { BuildCacheRecord, ContainerSummary, DiskUsage } from "#wire";
import { cacheSize } from "../build/cache-size.ts";
import type { Verb } from "../command.ts";
import type { Context } from "../context.ts";
import { humanSince } from "../human.ts";
import { plain, printListing, type Row, userTemplate } from "../listing.ts";
import type { dfFlags } from "../table/system.ts";
import { imageRows } from "./images.ts";
import { heads as containerHeads, containerRow } from "./ps.ts";
import { volumeRow } from "./volumes.ts";

const heads = {
  Type: "TYPE",
  TotalCount: "TOTAL",
  Active: "ACTIVE",
  Size: "SIZE",
  Reclaimable: "RECLAIMABLE",
};

export const df: Verb<typeof dfFlags> = async (context, { flags }) => {
  const usage = await context.client.system.diskUsage();
  const isJson = flags.json || flags.format === "json";
  if (flags.verbose) {
    if (isJson || !flags.format)
      await (isJson ? printDetailsAsJson(context, usage) : printDetails(context, usage));
    else await context.out.write(userTemplate(flags.format)(details(usage)));
    return 0;
  }
  const table = "table {{.Type}}\t{{.TotalCount}}\t{{.Active}}\t{{.Size}}\t{{.Reclaimable}}";
  await printListing(context, { table, heads, rows: summaryRows(usage) }, flags);
  return 0;
};

/** One row a kind of object, as docker counts them. */
export function summaryRows(usage: DiskUsage): Row[] {
  const { LayersSize } = usage;
  const images = usage.Images ?? [];
  const containers = usage.Containers ?? [];
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  const active = images.filter((image) => image.Containers !== 0);
  const used = sum(active.map((image) => image.Size - Math.max(0, image.SharedSize)));
  const sizes = (of: readonly ContainerSummary[]) => sum(of.map(({ SizeRw = 0 }) => SizeRw));
  const running = containers.filter(({ State }) => /^(running|paused|restarting)$/.test(State));
  const row = (
    Type: string,
    count: { readonly total: number; readonly active: number },
    size: { readonly total: number; readonly free: number },
  ) => ({
    Type,
    TotalCount: String(count.total),
    Active: String(count.active),
    Size: formatBytes(size.total, 4),
    Reclaimable:
      size.total > 0
        ? `${formatBytes(size.free, 4)} (${Math.floor((size.free * 100) / size.total)}%)`
        : formatBytes(size.free, 4),
  });
  const volumes = (usage.Volumes ?? []).map(
    ({ UsageData }) => UsageData ?? { RefCount: 0, Size: 0 },
  );
  const sizeOf = (of: typeof volumes) => sum(of.map(({ Size }) => Size));
  const cache = usage.BuildCache ?? [];
  const unused = cache.filter(({ InUse }) => !InUse);
  return [
    row(
      "Images",
      { total: images.length, active: active.length },
      { total: LayersSize, free: usage.Reclaimable ?? LayersSize - used },
    ),
    row(
      "Containers",
      { total: containers.length, active: running.length },
      { total: sizes(containers), free: sizes(containers) - sizes(running) },
    ),
    row(
      "Local Volumes",
      { total: volumes.length, active: volumes.filter(({ RefCount }) => RefCount > 0).length },
      { total: sizeOf(volumes), free: sizeOf(volumes.filter(({ RefCount }) => RefCount === 0)) },
    ),
    row(
      "Build Cache",
      { total: cache.length, active: cache.length - unused.length },
      { total: cacheSize(cache), free: cacheSize(unused) },
    ),
  ];
}

const imageTable =
  "table {{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}\t{{.UniqueSize}}\t{{.Containers}}";
const imageHeads = {
  Repository: "REPOSITORY",
  Tag: "TAG",
  ID: "IMAGE ID",
  CreatedSince: "CREATED",
  Size: "SIZE",
  SharedSize: "SHARED SIZE",
  UniqueSize: "UNIQUE SIZE",
  Containers: "CONTAINERS",
};
const containerTable =
  "table {{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t{{.RunningFor}}\t{{.Status}}\t{{.Names}}";

const volumeTable = "table {{.Name}}\t{{.Links}}\t{{.Size}}";
const volumeHeads = { Name: "VOLUME NAME", Links: "LINKS", Size: "SIZE" };

const cacheTable =
  "table {{slice .ID 0 12}}\t{{.CacheType}}\t{{.Size}}\t{{.CreatedSince}}\t{{.LastUsedSince}}\t{{.UsageCount}}\t{{.Shared}}";
const cacheHeads = {
  ID: "CACHE ID    ",
  CacheType: "CACHE TYPE",
  Size: "SIZE",
  CreatedSince: "CREATED",
  LastUsedSince: "LAST USED",
  UsageCount: "USAGE",
  Shared: "SHARED",
};

/** All in one document, as docker has it. */
async function printDetailsAsJson(context: Context, usage: DiskUsage): Promise<void> {
  await context.out.write(`${JSON.stringify(details(usage))}\n`);
}

function details(usage: DiskUsage) {
  return {
    Images: imagesOf(usage, false).map(plain),
    Containers: containersOf(usage, false).map(plain),
    Volumes: (usage.Volumes ?? []).map(volumeRow).map(plain),
    BuildCache: (usage.BuildCache ?? []).map(cacheRow).map(plain),
  };
}

/** As docker, an image under its first name alone. */
function imagesOf({ Images }: DiskUsage, trunc: boolean): Row[] {
  return (Images ?? []).flatMap((each) => imageRows(each, { trunc, digests: false }).slice(0, 1));
}

/** Their own layers alone, as in docker. */
function containersOf({ Containers }: DiskUsage, trunc: boolean): Row[] {
  return (Containers ?? []).map((each) => containerRow({ ...each, SizeRootFs: 0 }, trunc));
}

async function printDetails(context: Context, usage: DiskUsage): Promise<void> {
  const own = { format: undefined, json: false };
  const images = imagesOf(usage, true);
  await context.out.write("Images space usage:\n\n");
  await printListing(context, { table: imageTable, heads: imageHeads, rows: images }, own);
  const containers = containersOf(usage, true);
  await context.out.write("\nContainers space usage:\n\n");
  await printListing(
    context,
    { table: containerTable, heads: containerHeads, rows: containers },
    own,
  );
  await context.out.write("\nLocal Volumes space usage:\n\n");
  await printListing(
    context,
    { table: volumeTable, heads: volumeHeads, rows: (usage.Volumes ?? []).map(volumeRow) },
    own,
  );
  const cache = usage.BuildCache ?? [];
  await context.out.write(`\nBuild cache usage: ${formatBytes(cacheSize(cache), 4)}\n\n`);
  await printListing(
    context,
    { table: cacheTable, heads: cacheHeads, rows: cache.map(cacheRow) },
    own,
  );
}

/** A record as docker's list of them has it: all fields are texts. */
function cacheRow(record: BuildCacheRecord): Row {
  const used = record.LastUsedAt ? Date.parse(record.LastUsedAt) : undefined;
  return {
    ID: record.ID,
    Parent: record.Parents?.join(", ") ?? "",
    CacheType: record.Type,
    Description: record.Description,
    CreatedAt: record.CreatedAt,
    CreatedSince: humanSince(Date.parse(record.CreatedAt)),
    LastUsedAt: record.LastUsedAt ?? "",
    LastUsedSince: used === undefined ? "" : humanSince(used),
    Size: formatBytes(Math.max(0, record.Size), 4),
    InUse: String(record.InUse),
    Shared: String(record.Shared),
    UsageCount: String(record.UsageCount),
  };
}
