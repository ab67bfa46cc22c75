import { command, group, many } from "../command.ts";
import { bool, filter, list, map, text } from "../flag.ts";
import { format, json, outputFlags, pruneFlags } from "./containers.ts";

export const volumeCreateFlags = {
  driver: text("Specify volume driver name", { short: "d", shownDefault: "local" }),
  label: list("Set metadata for a volume"),
  opt: map("Set driver specific options", { short: "o" }),
};

export const volumeLsFlags = {
  filter: filter('Provide filter values (e.g. "dangling=true")'),
  format,
  json,
  quiet: bool("Only display volume names", { short: "q" }),
};

export const volumeInspectFlags = {
  format: text('Format output using a Go template, or "json"', { short: "f" }),
  json,
};

export const volumeRmFlags = {
  force: bool("Force the removal of one or more volumes", { short: "f" }),
};

export const volumeImportFlags = {
  replace: bool("Replace the files that the volume has"),
};

export const volumePruneFlags = {
  all: bool("Remove all unused volumes, not just anonymous ones", { short: "a" }),
  force: pruneFlags.force,
  filter: { ...filter('Provide filter values (e.g. "label=<label>")'), short: "" },
};

const ls = command({
  summary: "List volumes",
  usage: "[OPTIONS]",
  flags: volumeLsFlags,
  examples: [["volume ls -f dangling=true", "the ones that no container has"]],
  load: async () => (await import("../verb/volumes.ts")).volumeLs,
});

const rm = command({
  summary: "Remove one or more volumes that no container has",
  usage: "[OPTIONS] VOLUME [VOLUME...]",
  flags: volumeRmFlags,
  args: [1, many],
  complete: "volume",
  load: async () => (await import("../verb/volumes.ts")).volumeRm,
});

export const volumeGroup = group("Manage volumes", {
  clone: command({
    summary: "Create a volume with the files of another, shared where the file system can",
    usage: "VOLUME NEW_VOLUME",
    args: [2, 2],
    complete: "volume",
    examples: [["volume clone data data-before", "a copy to go back to"]],
    load: async () => (await import("../verb/volumes.ts")).volumeClone,
  }),
  create: command({
    summary: "Create a volume",
    usage: "[OPTIONS] [VOLUME]",
    flags: volumeCreateFlags,
    args: [0, 1],
    examples: [
      ["volume create data", "mount it with: thimble run -v data:/data IMAGE"],
      [
        "volume create -o type=tmpfs -o device=tmpfs -o o=size=64m fast",
        "in memory, while a container that has it runs",
      ],
    ],
    load: async () => (await import("../verb/volumes.ts")).volumeCreate,
  }),
  export: command({
    summary: "Export the files of a volume as a tar archive",
    usage: "[OPTIONS] VOLUME",
    flags: outputFlags,
    args: [1, 1],
    complete: "volume",
    examples: [
      ["volume export data -o data.tar", "owners, modes, times, attributes, links and holes"],
      ["volume export data | zstd > data.tar.zst", ""],
    ],
    load: async () => (await import("../verb/volume-archive.ts")).volumeExport,
  }),
  import: command({
    summary: "Put the files of a tar archive into a volume, which is created if it is missing",
    usage: "[OPTIONS] VOLUME [FILE|-]",
    flags: volumeImportFlags,
    args: [1, 2],
    complete: "volume",
    examples: [
      [
        "volume import data data.tar.zst",
        "plain, gzip, zstd or xz; all of it or, on failure, nothing",
      ],
      ["volume export data | ssh other thimble volume import data", "to another machine"],
    ],
    load: async () => (await import("../verb/volume-archive.ts")).volumeImport,
  }),
  inspect: command({
    summary: "Display detailed information on one or more volumes",
    usage: "[OPTIONS] VOLUME [VOLUME...]",
    flags: volumeInspectFlags,
    args: [1, many],
    complete: "volume",
    load: async () => (await import("../verb/inspect.ts")).inspectVolumes,
  }),
  ls,
  list: { ...ls, hidden: true },
  prune: command({
    summary: "Remove unused local volumes",
    usage: "[OPTIONS]",
    flags: volumePruneFlags,
    examples: [["volume prune -a", "named ones too; shows first when each was last used"]],
    load: async () => (await import("../verb/volumes.ts")).volumePrune,
  }),
  rename: command({
    summary: "Rename a volume that no container has",
    usage: "VOLUME NEW_NAME",
    args: [2, 2],
    complete: "volume",
    load: async () => (await import("../verb/volumes.ts")).volumeRename,
  }),
  rm,
  remove: { ...rm, hidden: true },
});
