import { formatBytes, shortId } from "#base";
import type { ContainerSummary } from "#wire";
import type { Verb } from "../command.ts";
import { binarySize, ellipsis, humanSince, localTime } from "../human.ts";
import { printListing, type Row, tableWidth, withOwnFormat } from "../listing.ts";
import { showPorts } from "../show-ports.ts";
import type { psFlags } from "../table/containers.ts";

const plain =
  "table {{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}\t{{.Names}}";
/** With what docker's table leaves out; the state of the health has left the status. */
const wide =
  "table {{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}\t{{.Health}}\t{{.Restarts}}\t{{.Memory}}\t{{.Ports}}\t{{.Names}}";

/** Fields of a container to the heads of their columns. */
export const heads = {
  ID: "CONTAINER ID",
  Names: "NAMES",
  Image: "IMAGE",
  Command: "COMMAND",
  CreatedAt: "CREATED AT",
  RunningFor: "CREATED",
  Ports: "PORTS",
  State: "STATE",
  Status: "STATUS",
  Size: "SIZE",
  Labels: "LABELS",
  Mounts: "MOUNTS",
  LocalVolumes: "LOCAL VOLUMES",
  Networks: "NETWORKS",
  Platform: "PLATFORM",
  Health: "HEALTH",
  Restarts: "RESTARTS",
  Memory: "MEMORY",
};

export const ps: Verb<typeof psFlags> = async (context, call) => {
  const flags = withOwnFormat(context, call.flags, "ps");
  const limit = flags.latest && flags.last === undefined ? 1 : flags.last;
  const template = flags.format ?? "";
  const size = flags.size || /\{\{.*(\.Size\b|json \.\s*\}).*\}/.test(template);
  const isTable = (!template || template === "table") && !flags.json && !flags.quiet;
  const mayBeWide = isTable && (call.given.has("wide") ? flags.wide : context.out.isTerminal);
  const containers = await context.client.containers.list({
    all: flags.all,
    size,
    usage: mayBeWide || /\.(Health|Restarts|Memory)\b/.test(template),
    limit: limit !== undefined && limit > 0 ? limit : undefined,
    filters: flags.filter,
  });
  const trunc = !flags["no-trunc"];
  const rows = containers.map((container) => containerRow(container, trunc));
  if (flags.quiet && !flags.json) {
    if (flags.format)
      await context.err.write(
        "WARNING: Ignoring custom format, because both --format and --quiet are set.\n",
      );
    await context.out.write(rows.map((row) => `${row.ID}\n`).join(""));
    return 0;
  }
  const table = (columns: string) => (flags.size ? `${columns}\t{{.Size}}` : columns);
  const widest = { table: table(wide), heads, rows };
  const isWide = mayBeWide && (call.given.has("wide") || tableWidth(widest) <= context.out.columns);
  await printListing(context, isWide ? widest : { table: table(plain), heads, rows }, flags);
  return 0;
};

/** The fields that `ps --format` knows. */
export function containerRow(container: ContainerSummary, trunc: boolean): Row {
  const labels = container.Labels ?? {};
  const mounts = (container.Mounts ?? []).map(({ Name, Source }) => {
    const name = Name || Source;
    return trunc ? ellipsis(name, 15) : name;
  });
  const created = container.Created * 1000;
  return {
    ID: trunc ? shortId(container.Id) : container.Id,
    Names: namesOf(container.Names ?? []),
    Image: imageOf(container, trunc),
    Command: JSON.stringify(trunc ? ellipsis(container.Command, 20) : container.Command),
    // The first look at the time zone takes 5 to 10 ms.
    get CreatedAt() {
      return localTime(created);
    },
    RunningFor: humanSince(created),
    Ports: showPorts(container.Ports ?? []),
    State: container.State,
    Status: container.Status,
    Size: sizeOf(container),
    Labels: Object.entries(labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(","),
    Label: (key: unknown) => labels[String(key)] ?? "",
    Mounts: mounts.join(","),
    LocalVolumes: String(
      (container.Mounts ?? []).filter(({ Driver }) => Driver === "local").length,
    ),
    Networks: Object.keys(container.NetworkSettings?.Networks ?? {}).join(","),
    Platform: null,
    ...usageFields(container),
  };
}

/** thimble's own, and methods, so that JSON has docker's fields alone; "-" where an engine does not tell. */
function usageFields({ Usage }: ContainerSummary): Row {
  const memory = Usage?.Memory ?? null;
  return {
    Health: () => Usage?.Health || "-",
    Restarts: () => (Usage ? String(Usage.RestartCount) : "-"),
    Memory: () => (memory === null ? "-" : binarySize(memory)),
  };
}

/** The name itself, without those that links of other containers give it. */
function namesOf(names: readonly string[]): string {
  return names
    .map((name) => name.replace(/^\//, ""))
    .filter((name) => !name.includes("/"))
    .join(",");
}

function imageOf({ Image, ImageID }: ContainerSummary, trunc: boolean): string {
  if (Image === "") return "<no image>";
  if (!trunc) return Image;
  const bare = Image.replace(/^sha256:/, "");
  if (ImageID.replace(/^sha256:/, "").startsWith(bare) && /^[0-9a-f]{12,}$/.test(bare))
    return shortId(bare);
  return Image.replace(/@sha256:[0-9a-f]{64}$/, "");
}

function sizeOf({ SizeRw = 0, SizeRootFs = 0 }: ContainerSummary): string {
  const own = formatBytes(SizeRw);
  return SizeRootFs > 0 ? `${own} (virtual ${formatBytes(SizeRootFs)})` : own;
}
