import { command, many } from "../command.ts";
import { bool, filter, list, text } from "../flag.ts";
import { format, inspectFlags, json, outputFlags, pruneFlags } from "./containers.ts";

const platform = text("Set platform if server is multi-platform capable");

export const imagesFlags = {
  all: bool("Show all images (default hides intermediate images)", { short: "a" }),
  digests: bool("Show digests"),
  filter: filter(),
  format,
  json,
  "no-trunc": bool("Don't truncate output"),
  quiet: bool("Only show image IDs", { short: "q" }),
  tree: bool("List images with all their names, their sizes, and whether a container uses them"),
};

export const rmiFlags = {
  force: bool("Force removal of the image", { short: "f" }),
  "no-prune": bool("Do not delete untagged parents"),
  platform: list(
    "Remove only the given platform variant. Formatted as `os[/arch[/variant]]` (e.g., `linux/amd64`)",
  ),
};

export const saveFlags = {
  ...outputFlags,
  compression: text('Compression of all layers: gzip or zstd, with a level as zstd:19, or "keep"', {
    placeholder: "FORMAT[:LEVEL]",
    shownDefault: "gzip in the place of zstd",
  }),
  platform,
};

export const loadFlags = {
  input: text("Read from tar archive file, instead of STDIN", { short: "i", complete: "file" }),
  platform,
  quiet: bool("Suppress the load output", { short: "q" }),
};

export const importFlags = {
  change: list("Apply Dockerfile instruction to the created image", { short: "c" }),
  message: text("Set commit message for imported image", { short: "m" }),
  platform,
};

export const historyFlags = {
  format,
  human: bool("Print sizes and dates in human readable format", { short: "H", initial: true }),
  json,
  "no-trunc": bool("Don't truncate output"),
  platform,
  quiet: bool("Only show image IDs", { short: "q" }),
};

export const imageInspectFlags = { format: inspectFlags.format, json, platform };

export const imagePruneFlags = {
  ...pruneFlags,
  all: bool("Remove all unused images, not just dangling ones", { short: "a" }),
};

export const commitFlags = {
  author: text('Author (e.g., "John Hannibal Smith <hannibal@a-team.com>")', { short: "a" }),
  change: list("Apply Dockerfile instruction to the created image", { short: "c" }),
  message: text("Commit message", { short: "m" }),
  pause: bool("Pause container during commit", { short: "p", initial: true }),
};

export const imageCpFlags = {
  "follow-link": bool("Always follow symbol link in SRC_PATH", { short: "L" }),
  quiet: bool("Suppress the message at the end", { short: "q" }),
};

export const mkimageFlags = {
  tag: text("Name of the image", { short: "t" }),
  quiet: bool("Print the id of the image only", { short: "q" }),
  json: bool("Print progress as JSON lines"),
};

export const imagesCommand = command({
  summary: "List images",
  usage: "[OPTIONS] [REPOSITORY[:TAG]]",
  flags: imagesFlags,
  args: [0, 1],
  complete: "image",
  examples: [
    ["images --format '{{.Repository}}:{{.Tag}} {{.Size}}'", "show only these columns"],
    ["images --tree", "an image once, under all its names"],
  ],
  load: async () => (await import("../verb/images.ts")).images,
});

export const rmiCommand = command({
  summary: "Remove one or more images",
  usage: "[OPTIONS] IMAGE [IMAGE...]",
  flags: rmiFlags,
  args: [1, many],
  complete: "image",
  examples: [
    ["rmi web:1", "the name, and with the last name the image"],
    ["rmi -f $(thimble images -q web)", "all images of a repository, with all their names"],
  ],
  load: async () => (await import("../verb/image-edit.ts")).rmi,
  rehearse: async () => (await import("../verb/dry-run-removal.ts")).rmi,
});

export const tagCommand = command({
  summary: "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
  usage: "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
  args: [2, 2],
  complete: "image",
  examples: [["tag web registry.example/team/web:1", "the name says where a push goes"]],
  load: async () => (await import("../verb/image-edit.ts")).tag,
  rehearse: async () => (await import("../verb/dry-run-change.ts")).tag,
});

export const saveCommand = command({
  summary: "Save one or more images to a tar archive (streamed to STDOUT by default)",
  usage: "[OPTIONS] IMAGE [IMAGE...]",
  flags: saveFlags,
  args: [1, many],
  complete: "image",
  examples: [["save -o debian.tar debian", "docker load reads it"]],
  load: async () => (await import("../verb/archive.ts")).save,
});

export const loadCommand = command({
  summary: "Load an image from a tar archive or STDIN",
  usage: "[OPTIONS]",
  flags: loadFlags,
  examples: [
    ["load -i debian.tar", "an archive of docker save, or an OCI layout"],
    ["load --platform linux/arm64 -i many.tar", "of several platforms, this one"],
  ],
  load: async () => (await import("../verb/archive.ts")).load,
  rehearse: async () => (await import("../verb/dry-run-change.ts")).load,
});

export const importCommand = command({
  summary: "Import the contents from a tarball to create a filesystem image",
  usage: "[OPTIONS] file|- [REPOSITORY[:TAG]]",
  flags: importFlags,
  args: [1, 2],
  complete: "file",
  examples: [["import -c 'CMD [\"sh\"]' rootfs.tar tiny", "a root file system becomes an image"]],
  load: async () => (await import("../verb/archive.ts")).importImage,
  rehearse: async () => (await import("../verb/dry-run-change.ts")).importImage,
});

export const historyCommand = command({
  summary: "Show the history of an image",
  usage: "[OPTIONS] IMAGE",
  flags: historyFlags,
  args: [1, 1],
  complete: "image",
  examples: [["history --no-trunc debian", "each layer with the whole of its command"]],
  load: async () => (await import("../verb/history.ts")).history,
});

export const imageInspectCommand = command({
  summary: "Display detailed information on one or more images",
  usage: "[OPTIONS] IMAGE [IMAGE...]",
  flags: imageInspectFlags,
  args: [1, many],
  complete: "image",
  examples: [
    ["image inspect -f '{{.RepoDigests}}' debian", "show the image's digests in its registry"],
  ],
  load: async () => (await import("../verb/inspect.ts")).inspectImages,
});

export const imagePruneCommand = command({
  summary: "Remove unused images",
  usage: "[OPTIONS]",
  flags: imagePruneFlags,
  examples: [
    ["image prune -f", "remove images without a name, without asking"],
    [
      "image prune -a --filter until=240h",
      "remove images older than ten days that no container uses",
    ],
  ],
  load: async () => (await import("../verb/prune.ts")).pruneImages,
  rehearse: async () => (await import("../verb/dry-run-removal.ts")).pruneImages,
});

export const commitCommand = command({
  summary: "Create a new image from a container's changes",
  usage: "[OPTIONS] CONTAINER [REPOSITORY[:TAG]]",
  flags: commitFlags,
  args: [1, 2],
  complete: "container",
  examples: [
    ["commit -m 'with curl' work debian:curl", "make an image of a changed container"],
    ["commit -c 'CMD [\"nginx\"]' -c 'EXPOSE 80' work web", "with another command"],
  ],
  load: async () => (await import("../verb/commit.ts")).commit,
  rehearse: async () => (await import("../verb/dry-run-change.ts")).commit,
});

export const imageCpCommand = command({
  summary: "Copy files out of an image, without a container",
  usage: "[OPTIONS] IMAGE:PATH DEST|-",
  flags: imageCpFlags,
  args: [2, 2],
  complete: "image",
  examples: [
    ["image cp debian:/etc/os-release .", "a file"],
    ["image cp web:/srv/site ./site", "a directory"],
    ["image cp web:/srv/site - | tar -t", "as an archive"],
  ],
  load: async () => (await import("../verb/image-cp.ts")).imageCp,
});

export const mkimageCommand = command({
  summary: "Make an image from scratch: from your binaries, or from Debian packages",
  usage: "-t NAME scratch [--cmd COMMAND] FILE... | debootstrap [OPTIONS] SUITE",
  flags: mkimageFlags,
  args: [1, many],
  interspersed: false,
  complete: ["scratch", "debootstrap"],
  examples: [
    ["mkimage -t tiny scratch ./server", "only a static binary; it is the command of the image"],
    ["mkimage -t debian debootstrap bookworm", "Debian from its packages"],
    ["mkimage -t web debootstrap --include=nginx-light bookworm", "with a package more"],
    ["mkimage debootstrap --help", "the options of a method"],
  ],
  load: async () => (await import("../verb/mkimage.ts")).mkimage,
});
