import { formatBytes } from "#base";
import type { Follow } from "#client";
import type { Volume } from "#wire";
import { ByteProgress } from "../byte-progress.ts";
import { cancellable } from "../cancellable.ts";
import type { Verb } from "../command.ts";
import type { Context } from "../context.ts";
import { readLabels } from "../key-values.ts";
import { printListing, type Row, withOwnFormat } from "../listing.ts";
import type { volumeCreateFlags, volumeLsFlags, volumeRmFlags } from "../table/volumes.ts";
import { forEach } from "./lifecycle.ts";

export const volumeCreate: Verb<typeof volumeCreateFlags> = async (context, { flags, args }) => {
  const { Name } = await context.client.volumes.create({
    Name: args[0] ?? "",
    Driver: flags.driver ?? "local",
    DriverOpts: orNull(flags.opt),
    Labels: orNull(readLabels([], flags.label)),
  });
  await context.out.write(`${Name}\n`);
  return 0;
};

/** The engine shows an empty map as one, and docker's CLI sends none. */
function orNull(map: Readonly<Record<string, string>>): Record<string, string> | null {
  return Object.keys(map).length > 0 ? { ...map } : null;
}

/** Fields of a volume to the heads of their columns. */
export const volumeHeads = {
  Name: "VOLUME NAME",
  Driver: "DRIVER",
  Scope: "SCOPE",
  Mountpoint: "MOUNTPOINT",
  Labels: "LABELS",
  Links: "LINKS",
  Size: "SIZE",
  Used: "USED",
  Limit: "LIMIT",
  Availability: "AVAILABILITY",
  Group: "GROUP",
  Status: "STATUS",
};

export const volumeLs: Verb<typeof volumeLsFlags> = async (context, { flags: given }) => {
  const flags = withOwnFormat(context, given, "volumes");
  const { Volumes } = await context.client.volumes.list({ filters: flags.filter });
  const rows = Volumes.map(volumeRow);
  if (flags.quiet && !flags.format && !flags.json) {
    await context.out.write(rows.map(({ Name }) => `${Name}\n`).join(""));
    return 0;
  }
  const hasLimits = Volumes.some(({ Status }) => typeof Status?.Limit === "number");
  const table = `table {{.Driver}}\t{{.Name}}${hasLimits ? "\t{{.Used}}\t{{.Limit}}" : ""}`;
  await printListing(context, { table, heads: volumeHeads, rows }, flags);
  return 0;
};

/** The fields that `volume ls --format` and `system df -v` know. */
export function volumeRow(volume: Volume): Row {
  const labels = volume.Labels ?? {};
  const { UsageData: usage, Status: status } = volume;
  return {
    Name: volume.Name,
    Driver: volume.Driver,
    Scope: volume.Scope,
    Mountpoint: volume.Mountpoint,
    Labels: Object.entries(labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(","),
    Label: (key: unknown) => labels[String(key)] ?? "",
    Links: usage ? String(usage.RefCount) : "N/A",
    Size: usage ? formatBytes(usage.Size, 4) : "N/A",
    Used: shownBytes(status?.Used),
    Limit: shownBytes(status?.Limit),
    // Fields of clusters.
    ...{ Availability: "N/A", Group: "N/A", Status: "N/A" },
  };
}

/** "" for what is no number: a plugin may have the word for something else. */
function shownBytes(value: unknown): string {
  return typeof value === "number" ? formatBytes(value) : "";
}

export const volumeRm: Verb<typeof volumeRmFlags> = async (context, { flags, args }) => {
  return await forEach(context, args, async (source) => {
    const { volumes } = context.client;
    const at = source.indexOf("@");
    if (at < 0) await volumes.remove(source, flags);
    else await volumes.removeSnapshot(source.slice(0, at), source.slice(at + 1));
  });
};

type NoFlags = Record<never, never>;

export const volumeClone: Verb<NoFlags> = async (context, { args: [name = "", to = ""] }) => {
  const { Volume, Copied, Warnings } = await followed(context, name, (follow) =>
    context.client.volumes.clone(name, to, follow),
  );
  for (const warning of Warnings) await context.err.write(`WARNING: ${warning}\n`);
  await sayCopied(context, Copied);
  await context.out.write(`${Volume.Name}\n`);
  return 0;
};

/** Shows how far a copy of a volume's files is, which ends with ctrl-c. */
export async function followed<T>(
  context: Context,
  label: string,
  work: (follow: Follow) => Promise<T>,
): Promise<T> {
  const progress = new ByteProgress(context);
  try {
    const onCopied = (done: number) => void progress.tell({ label, done });
    return await cancellable((signal) => work({ signal, onCopied }));
  } finally {
    await progress.end();
  }
}

/** Says that data was copied which another file system would have shared. */
export async function sayCopied({ err }: Pick<Context, "err">, bytes: number): Promise<void> {
  if (bytes === 0) return;
  await err.write(`${formatBytes(bytes)} were copied: the file system cannot share them\n`);
}

export const volumeRename: Verb<NoFlags> = async (context, { args: [name = "", to = ""] }) => {
  await context.client.volumes.rename(name, to);
  return 0;
};
