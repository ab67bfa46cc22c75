import { composeLabel } from "#compose";
import type { Verb } from "../command.ts";
import { printListing } from "../listing.ts";
import type { volumesFlags } from "../table/compose-look.ts";
import { volumeHeads, volumeRow } from "../verb/volumes.ts";
import { projectContainers } from "./containers.ts";
import { projectOrName } from "./project.ts";

export const volumes: Verb<typeof volumesFlags> = async (context, { flags, args }) => {
  const { name } = await projectOrName(context, flags, args);
  const { client } = context;
  const filters = { label: [`${composeLabel("project")}=${name}`] };
  const choice = { all: true, oneOff: false, services: args };
  const [{ Volumes }, containers] = await Promise.all([
    client.volumes.list({ filters }),
    args.length === 0 ? undefined : projectContainers(client, name, choice),
  ]);
  const used = containers?.flatMap(({ summary }) => summary.Mounts.map((mount) => mount.Name));
  const shown = Volumes.filter((volume) => used === undefined || used.includes(volume.Name));
  if (flags.quiet) {
    await context.out.write(shown.map((volume) => `${volume.Name}\n`).join(""));
    return 0;
  }
  const listing = {
    table: "table {{.Driver}}\t{{.Name}}",
    heads: volumeHeads,
    rows: shown.map(volumeRow),
  };
  await printListing(context, listing, { format: flags.format, json: false });
  return 0;
};
