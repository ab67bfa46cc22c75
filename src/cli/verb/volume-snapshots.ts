import type { Verb } from "../command.ts";
import { humanSince } from "../human.ts";
import { printListing } from "../listing.ts";
import type { volumeSnapshotFlags, volumeSnapshotsFlags } from "../table/volumes.ts";
import { followed, sayCopied } from "./volumes.ts";

export const volumeSnapshot: Verb<typeof volumeSnapshotFlags> = async (
  context,
  { flags, args: [name = "", tag] },
) => {
  const { Snapshot, Copied, Paused, Warnings } = await followed(context, name, (follow) =>
    context.client.volumes.snapshot(name, { tag, pause: flags.pause, ...follow }),
  );
  for (const warning of Warnings) await context.err.write(`WARNING: ${warning}\n`);
  await sayCopied(context, Copied);
  if (Paused) {
    const time = `${Paused.Milliseconds.toFixed(Paused.Milliseconds < 10 ? 1 : 0)} ms`;
    await context.err.write(`${Paused.Containers.join(", ")} stood still for ${time}\n`);
  }
  await context.out.write(`${Snapshot.Tag}\n`);
  return 0;
};

const heads = { Volume: "VOLUME", Tag: "TAG", CreatedAt: "CREATED AT", CreatedSince: "CREATED" };

export const volumeSnapshots: Verb<typeof volumeSnapshotsFlags> = async (
  context,
  { flags, args: [name = ""] },
) => {
  const snapshots = await context.client.volumes.snapshots(name);
  if (flags.quiet && !flags.format && !flags.json) {
    await context.out.write(snapshots.map(({ Tag }) => `${Tag}\n`).join(""));
    return 0;
  }
  const rows = snapshots.map(({ Volume, Tag, CreatedAt }) => ({
    ...{ Volume, Tag, CreatedAt },
    CreatedSince: humanSince(Date.parse(CreatedAt)),
  }));
  const table = "table {{.Volume}}\t{{.Tag}}\t{{.CreatedSince}}";
  await printListing(context, { table, heads, rows }, flags);
  return 0;
};

export const volumeRollback: Verb<Record<never, never>> = async (
  context,
  { args: [name = "", tag = ""] },
) => {
  const { Copied } = await followed(context, name, (follow) =>
    context.client.volumes.rollback(name, tag, follow),
  );
  await sayCopied(context, Copied);
  return 0;
};
