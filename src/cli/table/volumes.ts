import { command, group, many } from "../command.ts";
import { bool, filter, int, list, map, text } from "../flag.ts";
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

export const volumeSnapshotFlags = {
  pause: bool("Pause the containers that run with the volume meanwhile", { initial: true }),
};

export const volumeSnapshotsFlags = {
  format,
  json,
  quiet: bool("Only display tags", { short: "q" }),
};

export const volumeImportFlags = {
  replace: bool("Replace the files that the volume has"),
};

export const volumePruneFlags = {
  all: bool("Remove all unused volumes, not just anonymous ones", { short: "a" }),
  force: pruneFlags.force,
  filter: { ...filter('Provide filter values (e.g. "label=<label>")'), short: "" },
};

const passphraseFile = text("Encrypt or decrypt with the passphrase in this file (- asks for it)", {
  placeholder: "FILE",
  complete: "file",
});

const backupFlags = {
  snapshot: bool("Back up from a snapshot, for which containers stand still a moment"),
  "encrypt-to": list("Encrypt for a recipient of age (age1...)", { placeholder: "RECIPIENT" }),
  "passphrase-file": passphraseFile,
};

const decryptionFlags = {
  identity: list("Decrypt with the identities of age in this file", {
    short: "i",
    placeholder: "FILE",
    complete: "file",
  }),
  "passphrase-file": passphraseFile,
  replace: bool("Replace the files of a volume that has some"),
};

/** Where Docker's engine looks for plugins, by the name that its users call this one. */
export const pluginSocket = "/run/docker/plugins/thimble.sock";

export const volumeServePluginFlags = {
  socket: text("Listen here; the file's name is the driver's", {
    placeholder: "PATH",
    shownDefault: pluginSocket,
    complete: "file",
  }),
};

export const volumePushFlags = backupFlags;

export const volumePullFlags = decryptionFlags;

export const volumeBackupFlags = {
  ...backupFlags,
  every: text('Make further backups as often, as "6h"; "off" ends that', {
    placeholder: "DURATION",
  }),
  "keep-last": int("Remove backups but for the newest N", { min: 1, placeholder: "N" }),
  "keep-daily": int("Keep the newest of each of the last N days too", {
    min: 1,
    placeholder: "N",
  }),
  prune: bool("Only remove what is not kept; make no backup"),
};

export const volumeRestoreFlags = {
  ...decryptionFlags,
  backup: text("The backup to restore; by default the newest", { placeholder: "NAME" }),
};

export const volumeBackupsFlags = { format, json };

const ls = command({
  summary: "List volumes",
  usage: "[OPTIONS]",
  flags: volumeLsFlags,
  examples: [["volume ls -f dangling=true", "the ones that no container has"]],
  load: async () => (await import("../verb/volumes.ts")).volumeLs,
});

const rm = command({
  summary: "Remove volumes that no container has, with their snapshots, or single snapshots",
  usage: "[OPTIONS] VOLUME[@TAG] [VOLUME[@TAG]...]",
  flags: volumeRmFlags,
  args: [1, many],
  complete: "volume",
  examples: [["volume rm data@monday", "a snapshot of the volume data"]],
  load: async () => (await import("../verb/volumes.ts")).volumeRm,
  rehearse: async () => (await import("../verb/dry-run-removal.ts")).volumeRm,
});

export const volumeGroup = group("Manage volumes", {
  backup: command({
    summary: "Back up a volume to a directory, a registry or a bucket of S3",
    usage: "[OPTIONS] VOLUME[@SNAPSHOT] DIRECTORY|REGISTRY/REPOSITORY|s3://BUCKET/PREFIX",
    flags: volumeBackupFlags,
    args: [2, 2],
    complete: "volume",
    examples: [
      ["volume backup data /mnt/backups", "a directory of the engine's machine"],
      [
        "volume backup --every 6h --keep-last 7 --keep-daily 30 data registry.example.org/backups",
        "now, and from now on by the engine",
      ],
      ["volume backup --encrypt-to age1... data s3://bucket/data", "keys: AWS_ACCESS_KEY_ID, ..."],
      ["volume backup --every off data /mnt/backups", "no further ones"],
    ],
    load: async () => (await import("../verb/volume-backup.ts")).volumeBackup,
  }),
  backups: command({
    summary: "List the backups at a place, or those that the engine makes by itself",
    usage: "[OPTIONS] [DIRECTORY|REGISTRY/REPOSITORY|s3://BUCKET/PREFIX]",
    flags: volumeBackupsFlags,
    args: [0, 1],
    examples: [["volume backups", "schedules: when, where to, and why the last one failed"]],
    load: async () => (await import("../verb/volume-backup.ts")).volumeBackups,
  }),
  clone: command({
    summary: "Create a volume with the files of another, shared where the file system can",
    usage: "[OPTIONS] VOLUME[@TAG] NEW_VOLUME",
    args: [2, 2],
    complete: "volume",
    examples: [
      ["volume clone data data-test", "a copy to try things out"],
      ["volume clone data@monday data-monday", "of a snapshot"],
    ],
    load: async () => (await import("../verb/volumes.ts")).volumeClone,
    rehearse: async () => (await import("../verb/dry-run-change.ts")).volumeClone,
  }),
  create: command({
    summary: "Create a volume",
    usage: "[OPTIONS] [VOLUME]",
    flags: volumeCreateFlags,
    args: [0, 1],
    examples: [
      ["volume create data", "mount it with: thimble run -v data:/data IMAGE"],
      ["volume create -o size=1g data", "of 1 GiB at most, on xfs and ext4 with project quotas"],
      [
        "volume create -o type=tmpfs -o device=tmpfs -o o=size=64m fast",
        "in memory, while a container that has it runs",
      ],
    ],
    load: async () => (await import("../verb/volumes.ts")).volumeCreate,
    rehearse: async () => (await import("../verb/dry-run-change.ts")).volumeCreate,
  }),
  export: command({
    summary: "Export the files of a volume, or of a snapshot, as a tar archive",
    usage: "[OPTIONS] VOLUME[@TAG]",
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
    load: async () => (await import("../verb/prune.ts")).pruneVolumes,
    rehearse: async () => (await import("../verb/dry-run-removal.ts")).pruneVolumes,
  }),
  pull: command({
    summary: "Create a volume from one that was pushed to a registry",
    usage: "[OPTIONS] REGISTRY/REPOSITORY[:TAG] VOLUME",
    flags: volumePullFlags,
    args: [2, 2],
    examples: [
      ["volume pull registry.example.org/volumes/data data", "only what is missing comes"],
    ],
    load: async () => (await import("../verb/volume-backup.ts")).volumePull,
  }),
  push: command({
    summary: "Upload a volume to a registry",
    usage: "[OPTIONS] VOLUME[@SNAPSHOT] REGISTRY/REPOSITORY[:TAG]",
    flags: volumePushFlags,
    args: [2, 2],
    complete: "volume",
    examples: [["volume push data registry.example.org/volumes/data:v1", "only changes travel"]],
    load: async () => (await import("../verb/volume-backup.ts")).volumePush,
  }),
  rename: command({
    summary: "Rename a volume that no container has",
    usage: "[OPTIONS] VOLUME NEW_NAME",
    args: [2, 2],
    complete: "volume",
    load: async () => (await import("../verb/volumes.ts")).volumeRename,
    rehearse: async () => (await import("../verb/dry-run-change.ts")).volumeRename,
  }),
  restore: command({
    summary: "Create a volume from a backup",
    usage: "[OPTIONS] DIRECTORY|REGISTRY/REPOSITORY[:TAG]|s3://BUCKET/PREFIX VOLUME",
    flags: volumeRestoreFlags,
    args: [2, 2],
    examples: [
      ["volume restore /mnt/backups data", "the newest one; the volume is whole or not there"],
      [
        "volume restore --backup data-20260102T030405Z -i key.txt s3://bucket/data old",
        "an encrypted one",
      ],
    ],
    load: async () => (await import("../verb/volume-backup.ts")).volumeRestore,
  }),
  rm,
  remove: { ...rm, hidden: true },
  rollback: command({
    summary: "Give a volume the files of one of its snapshots, while no container runs with it",
    usage: "[OPTIONS] VOLUME TAG",
    args: [2, 2],
    complete: "volume",
    examples: [["volume rollback data before-upgrade", "what came after is lost"]],
    load: async () => (await import("../verb/volume-snapshots.ts")).volumeRollback,
    rehearse: async () => (await import("../verb/dry-run-change.ts")).volumeRollback,
  }),
  "serve-plugin": command({
    summary: "Serve the engine's volumes to Docker's engine, as a volume plugin",
    usage: "[OPTIONS]",
    flags: volumeServePluginFlags,
    examples: [
      ["volume serve-plugin", "then: docker run --volume-driver thimble -v data:/data IMAGE"],
    ],
    load: async () => (await import("../verb/volume-plugin.ts")).volumeServePlugin,
  }),
  snapshot: command({
    summary: "Keep the files of a volume as they are now",
    usage: "[OPTIONS] VOLUME [TAG]",
    flags: volumeSnapshotFlags,
    args: [1, 2],
    complete: "volume",
    examples: [
      [
        "volume snapshot data before-upgrade",
        "back again: thimble volume rollback data before-upgrade",
      ],
      ["volume snapshot data", "the tag is the time"],
    ],
    load: async () => (await import("../verb/volume-snapshots.ts")).volumeSnapshot,
    rehearse: async () => (await import("../verb/dry-run-change.ts")).volumeSnapshot,
  }),
  snapshots: command({
    summary: "List the snapshots of a volume",
    usage: "[OPTIONS] VOLUME",
    flags: volumeSnapshotsFlags,
    args: [1, 1],
    complete: "volume",
    examples: [["volume snapshots data", "remove one with: thimble volume rm data@TAG"]],
    load: async () => (await import("../verb/volume-snapshots.ts")).volumeSnapshots,
  }),
});
