import { formatBytes } from "#base";
import type { Verb } from "../command.ts";
import { confirm } from "../confirm.ts";
import type { pruneFlags } from "../table/containers.ts";
import type { imagePruneFlags } from "../table/images.ts";

export const pruneContainers: Verb<typeof pruneFlags> = async (context, invocation) => {
  const { flags } = invocation;
  if (flags["dry-run"]) return (await import("./dry-run.ts")).pruneContainers(context, invocation);
  const warning = "This will remove all stopped containers.";
  if (!flags.force && !(await confirm(context, warning))) return 1;
  const result = await context.client.containers.prune(flags.filter);
  const removed = result.ContainersDeleted ?? [];
  if (removed.length > 0) {
    await context.out.write(`Deleted Containers:\n${removed.map((id) => `${id}\n`).join("")}\n`);
  }
  await context.out.write(`Total reclaimed space: ${formatBytes(result.SpaceReclaimed, 4)}\n`);
  return 0;
};

export const pruneImages: Verb<typeof imagePruneFlags> = async (context, invocation) => {
  const { flags } = invocation;
  if (flags["dry-run"]) return (await import("./dry-run.ts")).pruneImages(context, invocation);
  const warning = flags.all
    ? "This will remove all images without at least one container associated to them."
    : "This will remove all dangling images.";
  if (!flags.force && !(await confirm(context, warning))) return 1;
  const filters = { ...flags.filter, dangling: [String(!flags.all)] };
  const result = await context.client.images.prune(filters);
  const lines = (result.ImagesDeleted ?? []).map((entry) =>
    "Untagged" in entry ? `untagged: ${entry.Untagged}\n` : `deleted: ${entry.Deleted}\n`,
  );
  if (lines.length > 0) await context.out.write(`Deleted Images:\n${lines.join("")}\n`);
  await context.out.write(`Total reclaimed space: ${formatBytes(result.SpaceReclaimed, 4)}\n`);
  return 0;
};

export const pruneNetworks: Verb<typeof pruneFlags> = async (context, invocation) => {
  const { flags } = invocation;
  if (flags["dry-run"]) return (await import("./dry-run.ts")).pruneNetworks(context, invocation);
  const warning = "This will remove all custom networks not used by at least one container.";
  if (!flags.force && !(await confirm(context, warning))) return 1;
  const { NetworksDeleted } = await context.client.networks.prune(flags.filter);
  const removed = NetworksDeleted ?? [];
  if (removed.length > 0)
    await context.out.write(`Deleted Networks:\n${removed.map((name) => `${name}\n`).join("")}\n`);
  return 0;
};
