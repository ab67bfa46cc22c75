import { formatBytes } from "#base";
import type { Volume, WireFilters } from "#wire";
import type { Verb } from "../command.ts";
import { confirm } from "../confirm.ts";
import type { Context } from "../context.ts";
import { Exit } from "../failure.ts";
import type { Values } from "../flag.ts";
import { humanSince } from "../human.ts";
import type { pruneFlags } from "../table/containers.ts";
import type { imagePruneFlags } from "../table/images.ts";
import type { systemPruneFlags } from "../table/system.ts";
import type { volumePruneFlags } from "../table/volumes.ts";

/** What a prune has removed; networks take no space. */
interface Pruned {
  readonly kind: "Containers" | "Networks" | "Volumes" | "Images" | "build cache objects";
  readonly removed: readonly string[];
  readonly bytes?: number;
}

export const pruneContainers: Verb<typeof pruneFlags> = async (context, { flags }) => {
  if (!(await isSure(context, flags, "This will remove all stopped containers."))) return 0;
  return await tell(context, [await containers(context, flags.filter)]);
};

export const pruneImages: Verb<typeof imagePruneFlags> = async (context, { flags }) => {
  const warning = flags.all
    ? "This will remove all images without at least one container associated to them."
    : "This will remove all dangling images.";
  if (!(await isSure(context, flags, warning))) return 0;
  return await tell(context, [await images(context, flags)]);
};

export const pruneNetworks: Verb<typeof pruneFlags> = async (context, { flags }) => {
  const warning = "This will remove all custom networks not used by at least one container.";
  if (!(await isSure(context, flags, warning))) return 0;
  return await tell(context, [await networks(context, flags.filter)]);
};

export const pruneVolumes: Verb<typeof volumePruneFlags> = async (context, { flags }) => {
  const { client, out } = context;
  const filters = volumeFilters(flags);
  const all = filters.all?.some((value) => /^(1|t|true)$/i.test(value)) ?? false;
  if (!flags.force) {
    const label = [...(filters.label ?? []), ...(all ? [] : ["com.docker.volume.anonymous"])];
    const { Volumes } = await client.volumes.list({ filters: { dangling: ["true"], label } });
    await out.write(Volumes.map((volume) => `${volume.Name}: ${lastUse(volume)}\n`).join(""));
  }
  const warning = `This will remove ${all ? "all" : "anonymous"} local volumes not used by at least one container.`;
  if (!(await isSure(context, flags, warning))) return 0;
  return await tell(context, [await volumes(context, filters)]);
};

/** With `all` where all volumes are meant, and not only those without a name. */
export function volumeFilters({ all, filter }: Values<typeof volumePruneFlags>): WireFilters {
  if (all && "all" in filter)
    throw new Exit(1, "conflicting options: cannot specify both --all and --filter all=1");
  return { ...filter, ...(all && { all: ["true"] }) };
}

export const pruneSystem: Verb<typeof systemPruneFlags> = async (context, { flags }) => {
  const { filter } = flags;
  checkSystemPrune(flags);
  if (!(await isSure(context, flags, systemWarning(flags)))) return 0;
  return await tell(context, [
    await containers(context, filter),
    await networks(context, filter),
    ...(flags.volumes ? [await volumes(context, filter)] : []),
    await images(context, flags),
    await buildCache(context, flags),
  ]);
};

type SystemPruneFlags = Values<typeof systemPruneFlags>;

/** Refuses a filter that volumes do not have. */
export function checkSystemPrune({ volumes: withVolumes, filter }: SystemPruneFlags): void {
  if (withVolumes && "until" in filter)
    throw new Exit(1, 'ERROR: The "until" filter is not supported with "--volumes"');
}

function systemWarning({ all, volumes: withVolumes, filter }: SystemPruneFlags): string {
  const kinds = [
    "all stopped containers",
    "all networks not used by at least one container",
    ...(withVolumes ? ["all anonymous volumes not used by at least one container"] : []),
    all ? "all images without at least one container associated to them" : "all dangling images",
    all ? "all build cache" : "unused build cache",
  ];
  const filters = Object.entries(filter)
    .flatMap(([key, values]) => values.map((value) => `${key}=${value}`))
    .sort();
  const items = (lines: readonly string[]) => lines.map((line) => `  - ${line}\n`).join("");
  const filtered = `\n  Items to be pruned will be filtered with:\n${items(filters)}`;
  return `This will remove:\n${items(kinds)}${filters.length > 0 ? filtered : ""}`;
}

/** As docker, which gives 0 to those who are not. */
async function isSure(
  context: Context,
  { force }: { readonly force: boolean },
  warning: string,
): Promise<boolean> {
  return force || (await confirm(context, warning));
}

async function tell({ out }: Context, all: readonly Pruned[]): Promise<number> {
  for (const { kind, removed } of all) {
    const lines = removed.map((each) => `${each}\n`).join("");
    if (lines !== "") await out.write(`Deleted ${kind}:\n${lines}\n`);
  }
  const sizes = all.flatMap(({ bytes }) => (bytes === undefined ? [] : [bytes]));
  const total = sizes.reduce((sum, each) => sum + each, 0);
  if (sizes.length > 0) await out.write(`Total reclaimed space: ${formatBytes(total, 4)}\n`);
  return 0;
}

async function containers({ client }: Context, filters: WireFilters): Promise<Pruned> {
  const { ContainersDeleted, SpaceReclaimed: bytes } = await client.containers.prune(filters);
  return { kind: "Containers", removed: ContainersDeleted ?? [], bytes };
}

async function networks({ client }: Context, filters: WireFilters): Promise<Pruned> {
  const { NetworksDeleted } = await client.networks.prune(filters);
  return { kind: "Networks", removed: NetworksDeleted ?? [] };
}

async function volumes({ client }: Context, filters: WireFilters): Promise<Pruned> {
  const { VolumesDeleted, SpaceReclaimed: bytes } = await client.volumes.prune(filters);
  return { kind: "Volumes", removed: VolumesDeleted ?? [], bytes };
}

async function images(
  { client }: Context,
  { all, filter }: { readonly all: boolean; readonly filter: WireFilters },
): Promise<Pruned> {
  const filters = { ...filter, dangling: [String(!all)] };
  const { ImagesDeleted, SpaceReclaimed: bytes } = await client.images.prune(filters);
  const removed = (ImagesDeleted ?? []).map((entry) =>
    "Untagged" in entry ? `untagged: ${entry.Untagged}` : `deleted: ${entry.Deleted}`,
  );
  return { kind: "Images", removed, bytes };
}

async function buildCache(
  { client }: Context,
  { all, filter: filters }: { readonly all: boolean; readonly filter: WireFilters },
): Promise<Pruned> {
  const { CachesDeleted, SpaceReclaimed: bytes } = await client.builds.prune({ all, filters });
  return { kind: "build cache objects", removed: CachesDeleted ?? [], bytes };
}

function lastUse({ Status, CreatedAt }: Volume): string {
  const used = Status?.LastUsed;
  return typeof used === "string"
    ? `last used ${humanSince(Date.parse(used))}`
    : `never used, made ${CreatedAt ? humanSince(Date.parse(CreatedAt)) : "once"}`;
}
