import { formatBytes, isFault, shortId } from "#base";
import { type Client, splitTag } from "#client";
import type { ImageInspect } from "#wire";
import type { Verb } from "../command.ts";
import { humanSince } from "../human.ts";
import { alignColumns } from "../listing.ts";
import type { imagesFlags } from "../table/compose-look.ts";
import { projectContainers } from "./containers.ts";
import { checkFormat } from "./format.ts";
import { projectName } from "./project.ts";

const heads = ["CONTAINER", "REPOSITORY", "TAG", "PLATFORM", "IMAGE ID", "SIZE", "CREATED"];

export const images: Verb<typeof imagesFlags> = async (context, { flags, args }) => {
  const format = checkFormat(flags.format);
  const name = await projectName(context, flags);
  const choice = { all: true, oneOff: false, services: args };
  const containers = await projectContainers(context.client, name, choice);
  const ids = [...new Set(containers.map(({ summary }) => summary.ImageID))];
  if (flags.quiet) {
    await context.out.write(ids.map((id) => `${id.replace("sha256:", "")}\n`).join(""));
    return 0;
  }
  const found = new Map(
    await Promise.all(ids.map(async (id) => [id, await inspect(context.client, id)] as const)),
  );
  const rows = containers.flatMap(({ name: ContainerName, summary }) => {
    const image = found.get(summary.ImageID);
    return image ? [{ ID: summary.ImageID, ContainerName, ...imageFields(image) }] : [];
  });
  // docker compose ends JSON with an empty line.
  if (format === "json") await context.out.write(`${JSON.stringify(rows)}\n\n`);
  else {
    const lines = rows.map((row) => [
      ...[row.ContainerName, row.Repository || "<none>", row.Tag || "<none>", row.Platform],
      ...[shortId(row.ID), formatBytes(row.Size), tagged(row.LastTagTime)],
    ]);
    const aligned = alignColumns([heads, ...lines], 20);
    await context.out.write(aligned.map((line) => `${line}\n`).join(""));
  }
  return 0;
};

/** Undefined for an image that is gone: its container holds on to the layers alone. */
async function inspect(client: Client, id: string): Promise<ImageInspect | undefined> {
  try {
    return await client.images.inspect(id);
  } catch (error) {
    if (isFault(error, "not_found")) return undefined;
    throw error;
  }
}

function imageFields({ RepoTags, Os, Architecture, Variant, Size, Metadata }: ImageInspect) {
  const { name = "", tag = "" } = RepoTags?.[0] ? splitTag(RepoTags[0]) : {};
  return {
    Repository: name,
    Tag: tag,
    Platform: [Os, Architecture, Variant].filter(Boolean).join("/"),
    Size,
    LastTagTime: Metadata.LastTagTime,
  };
}

function tagged(time: string): string {
  const at = Date.parse(time);
  return at > 0 ? humanSince(at) : "N/A";
}
