import { Fault, formatBytes } from "#base";
import type { ContainerInspect, ContainerSummary, ImageSummary, WireFilters } from "#wire";
import type { Verb } from "../command.ts";
import type { Context } from "../context.ts";
import { failureText } from "../failure.ts";
import type { pruneFlags, rmFlags } from "../table/containers.ts";
import type { imagePruneFlags, rmiFlags } from "../table/images.ts";
import type { networkRmFlags } from "../table/networks.ts";
import type { systemPruneFlags } from "../table/system.ts";
import type { volumePruneFlags, volumeRmFlags } from "../table/volumes.ts";
import { parseTimeFlag } from "../time-flag.ts";
import { checkSystemPrune, volumeFilters } from "./prune.ts";

/** What of these would go, a line each, and why others would stay; nothing is changed. */
async function tellEach(
  context: Context,
  refs: readonly string[],
  look: (ref: string) => Promise<readonly string[]>,
): Promise<number> {
  let status = 0;
  for (const ref of refs) {
    try {
      await tell(context, await look(ref));
    } catch (error) {
      await context.err.write(`${failureText(error)}\n`);
      status = 1;
    }
  }
  return status;
}

async function tell({ out }: Context, lines: readonly string[]): Promise<void> {
  await out.write(lines.map((line) => `would remove ${line}\n`).join(""));
}

async function tellAll(context: Context, lines: readonly string[]): Promise<number> {
  await tell(context, lines);
  if (lines.length === 0) await context.out.write("nothing would be removed\n");
  return 0;
}

export const rm: Verb<typeof rmFlags> = (context, { flags, args }) =>
  tellEach(context, args, async (ref) => {
    const container = await context.client.containers.inspect(ref);
    const { Name, State } = container;
    const name = Name.replace(/^\//, "");
    if (State.Running && !flags.force)
      throw new Fault("conflict", `container ${name} is running: only --force would remove it`);
    const own = `container ${name} (${State.Status})`;
    return flags.volumes ? [own, ...(await anonymousVolumes(context, container))] : [own];
  });

async function anonymousVolumes({ client }: Context, { Mounts }: ContainerInspect) {
  const { Volumes } = await client.volumes.list({
    filters: { label: ["com.docker.volume.anonymous"] },
  });
  const anonymous = new Set(Volumes.map(({ Name }) => Name));
  return Mounts.flatMap(({ Name = "" }) => (anonymous.has(Name) ? [`volume ${Name}`] : []));
}

export const rmi: Verb<typeof rmiFlags> = (context, { flags, args }) =>
  tellEach(context, args, async (ref) => {
    const { images, containers } = context.client;
    const { Id, RepoTags, Size } = await images.inspect(ref, { platform: flags.platform[0] });
    const tags = RepoTags ?? [];
    const isId = Id.startsWith(ref) || Id.startsWith(`sha256:${ref}`);
    if (!isId && tags.length > 1) return [`the name ${ref}, and keep the image: it has others`];
    if (isId && tags.length > 1 && !flags.force)
      throw new Fault("conflict", `image ${ref} has several names: only --force would remove it`);
    const users = await containers.list({ all: true, filters: { ancestor: [Id] } });
    const running = users.filter(({ State }) => State === "running" || State === "paused");
    if (running.length > 0 || (users.length > 0 && !flags.force))
      throw new Fault("conflict", `image ${ref} is used by ${users.map(nameOf).join(", ")}`);
    return [...tags.map((tag) => `the name ${tag}`), imageLine(Id, Size)];
  });

export const removeNetworks: Verb<typeof networkRmFlags> = (context, { args }) =>
  tellEach(context, args, async (ref) => {
    const { Name, Containers } = await context.client.networks.inspect(ref);
    const users = Object.values(Containers ?? {}).map((each) => each.Name);
    if (["bridge", "host", "none"].includes(Name))
      throw new Fault("denied", `network ${Name} exists always and cannot be removed`);
    if (users.length > 0)
      throw new Fault("denied", `network ${Name} is used by ${users.join(", ")}`);
    return [`network ${Name}`];
  });

export const volumeRm: Verb<typeof volumeRmFlags> = (context, { args }) =>
  tellEach(context, args, async (ref) => {
    const [name = "", snapshot] = ref.split("@");
    const volume = await context.client.volumes.inspect(name);
    if (snapshot !== undefined) return [`snapshot ${snapshot} of volume ${volume.Name}`];
    const users = await context.client.containers.list({ all: true, filters: { volume: [name] } });
    if (users.length > 0)
      throw new Fault("conflict", `volume ${name} is used by ${users.map(nameOf).join(", ")}`);
    return [`volume ${volume.Name}`];
  });

export const pruneContainers: Verb<typeof pruneFlags> = async (context, { flags }) => {
  const gone = await goneContainers(context, flags.filter);
  return await tellAll(context, gone.map(containerLine));
};

export const pruneImages: Verb<typeof imagePruneFlags> = async (context, { flags }) =>
  await tellAll(context, await goneImages(context, flags, []));

export const pruneNetworks: Verb<typeof pruneFlags> = async (context, { flags }) =>
  await tellAll(context, await goneNetworks(context, flags.filter));

export const pruneVolumes: Verb<typeof volumePruneFlags> = async (context, { flags }) =>
  await tellAll(context, await goneVolumes(context, volumeFilters(flags), []));

/** With the containers goes the use that they make of volumes and images. */
export const pruneSystem: Verb<typeof systemPruneFlags> = async (context, { flags }) => {
  const { filter, volumes } = flags;
  checkSystemPrune(flags);
  const containers = await goneContainers(context, filter);
  return await tellAll(context, [
    ...containers.map(containerLine),
    ...(await goneNetworks(context, filter)),
    ...(volumes ? await goneVolumes(context, filter, containers) : []),
    ...(await goneImages(context, flags, containers)),
  ]);
};

type Containers = readonly ContainerSummary[];

async function goneContainers({ client }: Context, filter: WireFilters): Promise<Containers> {
  const { label } = filter;
  const filters = { status: ["created", "exited", "dead"], ...(label && { label }) };
  const found = await client.containers.list({ all: true, size: true, filters });
  const isOld = isOlder(filter);
  return found.filter((each) => isOld(each.Created) && !isExempt(filter, each.Labels));
}

function containerLine(container: ContainerSummary): string {
  const size = formatBytes(container.SizeRw ?? 0);
  return `container ${nameOf(container)} (${container.Status}, ${size})`;
}

/** @param without containers that go before, and hold no image then */
async function goneImages(
  { client }: Context,
  { all, filter }: { readonly all: boolean; readonly filter: WireFilters },
  without: Containers,
): Promise<readonly string[]> {
  const { label } = filter;
  const filters = { ...(!all && { dangling: ["true"] }), ...(label && { label }) };
  const [found, containers] = await Promise.all([
    client.images.list({ filters }),
    client.containers.list({ all: true }),
  ]);
  const gone = new Set(without.map(({ Id }) => Id));
  const used = new Set(containers.filter(({ Id }) => !gone.has(Id)).map(({ ImageID }) => ImageID));
  const isOld = isOlder(filter);
  const goes = (image: ImageSummary) =>
    !used.has(image.Id) && isOld(image.Created) && !isExempt(filter, image.Labels);
  return found
    .filter(goes)
    .flatMap(({ Id, RepoTags, Size }) => [
      ...(RepoTags ?? []).filter((tag) => tag !== "<none>:<none>").map((tag) => `the name ${tag}`),
      imageLine(Id, Size),
    ]);
}

async function goneNetworks({ client }: Context, filter: WireFilters): Promise<readonly string[]> {
  const { label } = filter;
  const filters = { dangling: ["true"], type: ["custom"], ...(label && { label }) };
  const isOld = isOlder(filter);
  return (await client.networks.list(filters))
    .filter((each) => isOld(Date.parse(each.Created) / 1000) && !isExempt(filter, each.Labels))
    .map(({ Name }) => `network ${Name}`);
}

/** @param without containers that go before, and hold no volume then */
async function goneVolumes(
  { client }: Context,
  filters: WireFilters,
  without: Containers,
): Promise<readonly string[]> {
  const all = filters.all?.some((value) => /^(1|t|true)$/i.test(value)) ?? false;
  const label = [...(filters.label ?? []), ...(all ? [] : ["com.docker.volume.anonymous"])];
  const [{ Volumes }, containers] = await Promise.all([
    client.volumes.list({ filters: { label } }),
    client.containers.list({ all: true }),
  ]);
  const gone = new Set(without.map(({ Id }) => Id));
  const held = containers.filter(({ Id }) => !gone.has(Id)).flatMap(({ Mounts }) => Mounts);
  const used = new Set(held.map(({ Name }) => Name));
  return Volumes.filter(({ Name, Labels }) => !used.has(Name) && !isExempt(filters, Labels)).map(
    ({ Name }) => `volume ${Name}`,
  );
}

/** By the filter `until`; the argument is in seconds since 1970. */
function isOlder({ until = [] }: WireFilters): (created: number) => boolean {
  const limits = until.map((each) => Number(parseTimeFlag(each)));
  return (created) => limits.every((limit) => created <= limit);
}

/** By the filter `label!`. */
function isExempt(
  filters: WireFilters,
  labels: Readonly<Record<string, string>> | null | undefined,
): boolean {
  return (filters["label!"] ?? []).some((each) => {
    const [key = "", value] = each.split(/=(.*)/s);
    const found = labels?.[key];
    return found !== undefined && (value === undefined || value === found);
  });
}

function imageLine(id: string, size: number): string {
  return `image ${id} (${formatBytes(size)})`;
}

function nameOf({ Names }: Pick<ContainerSummary, "Names">): string {
  return (Names[0] ?? "").replace(/^\//, "");
}
