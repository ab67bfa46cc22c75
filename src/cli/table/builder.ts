import { command, group } from "../command.ts";
import { bool, filter, size, text } from "../flag.ts";
import { bakeCommand } from "./bake.ts";
import { buildCommand } from "./build.ts";
import { json, pruneFlags } from "./containers.ts";

const builder = text("Builder instance: default, which is the engine", { hidden: true });

export const builderPruneFlags = {
  all: bool("Remove all of the cache, not just what no image and no other step builds on", {
    short: "a",
  }),
  builder,
  filter: pruneFlags.filter,
  force: pruneFlags.force,
  "keep-storage": size("Amount of disk space to keep for cache", { aliases: ["reserved-space"] }),
  "max-used-space": size("Maximum amount of disk space allowed to keep for cache"),
  "min-free-space": size("Target amount of free disk space after pruning"),
  verbose: bool("Provide a more verbose output"),
};

export const builderDuFlags = {
  builder,
  filter: { ...filter(), short: "" },
  format: text('Format output: "json", "table TEMPLATE" or TEMPLATE'),
  json,
  verbose: bool("All that is known of each record"),
};

const pruneCommand = command({
  summary: "Remove build cache",
  usage: "[OPTIONS]",
  flags: builderPruneFlags,
  examples: [
    ["builder prune -af", "all of it"],
    ["builder prune -f --filter until=240h", "what no build has used for ten days"],
    ["builder prune -af --max-used-space 10g", "until 10 GB are left"],
  ],
  load: async () => (await import("../verb/builder.ts")).pruneBuilder,
});

const duCommand = command({
  summary: "Show what the build cache takes of the disk",
  usage: "[OPTIONS]",
  flags: builderDuFlags,
  examples: [
    ["builder du", "each record with its size and its last use"],
    ["builder du --verbose --filter type=exec.cachemount", "the cache mounts"],
  ],
  load: async () => (await import("../verb/builder.ts")).builderDu,
});

export const builderGroup = group("Manage builds and their cache", {
  build: buildCommand,
  du: duCommand,
  prune: pruneCommand,
});

/** The words of docker's plugin, for scripts that use it. */
export const buildxGroup = group("Build, as docker buildx spells it", {
  b: { ...buildCommand, hidden: true },
  bake: bakeCommand,
  build: buildCommand,
  du: duCommand,
  prune: pruneCommand,
});
