import { command } from "../command.ts";
import { bool, int, text } from "../flag.ts";

const format = text('Format output: "json" or TEMPLATE');
const json = bool("Print JSON, the same as --format json");

export const explainFlags = {
  depth: int("Levels of directories", { min: 1, max: 64, shownDefault: "2" }),
  format,
  json,
  layer: text("Show one layer only: its number or the beginning of its digest"),
  top: int("Lines of each list", { short: "n", min: 1, max: 10_000, shownDefault: "10" }),
};

export const diffFlags = {
  format,
  json,
  top: int("Number of changed files to list, for images", {
    short: "n",
    min: 1,
    max: 65_536,
    shownDefault: "1000",
  }),
};

export const squashFlags = {
  from: text("The last layer to keep: its number, its digest, or an image whose top layer it is", {
    complete: "image",
  }),
  json: bool("Print progress as JSON lines"),
  quiet: bool("Print the id of the image only", { short: "q" }),
  tag: text("Name of the result", { short: "t" }),
};

export const sbomFlags = {
  format: text('Format output: "spdx-json", "table", "json" or TEMPLATE', {
    shownDefault: "table on a terminal, else spdx-json",
    complete: ["spdx-json", "table", "json"],
  }),
};

export const sbomCommand = command({
  summary: "Show the packages of an image, from their own databases (SPDX)",
  usage: "[OPTIONS] IMAGE",
  flags: sbomFlags,
  args: [1, 1],
  complete: "image",
  examples: [
    ["sbom debian", "packages with their versions and licenses"],
    ["sbom debian > debian.spdx.json", "the bill of materials in SPDX 2.3"],
    ["sbom --format '{{.Name}} {{.Version}}' debian", "a line for each package"],
  ],
  load: async () => (await import("../verb/sbom.ts")).sbom,
});

export const explainCommand = command({
  summary:
    "Show where an image's bytes are: layers, directories, packages, files, and wasted space",
  usage: "[OPTIONS] IMAGE [PATH]",
  flags: explainFlags,
  args: [1, 2],
  complete: "image",
  examples: [
    ["explain debian", "show the largest parts, and the parts that could be removed"],
    ["explain -n 50 --layer 2 web", "more of one layer"],
    ["explain web /usr/bin/perl", "which layer and package a file comes from"],
    ["explain --format '{{.total.wasted}}' web", "wasted bytes alone, for a script"],
  ],
  load: async () => (await import("../verb/explain.ts")).explain,
});

export const containerDiffCommand = command({
  summary: "Inspect changes to files or directories on a container's filesystem",
  usage: "CONTAINER",
  flags: { format, json },
  args: [1, 1],
  complete: "container",
  examples: [["container diff web", "list the files that a container has changed"]],
  load: async () => (await import("../verb/diff.ts")).containerDiff,
});

export const diffCommand = command({
  summary: "Inspect changes to files on a container's filesystem, or between two images",
  usage: "[OPTIONS] CONTAINER | IMAGE IMAGE",
  flags: diffFlags,
  args: [1, 2],
  complete: "container",
  examples: [
    ["diff web", "list the files that a container has changed"],
    ["diff web:1 web:2", "files, packages and settings that differ between two images"],
    ["diff --json web:1 web:2", "the same for a program"],
  ],
  load: async () => (await import("../verb/diff.ts")).diff,
});

export const squashCommand = command({
  summary:
    "Merge layers of an image into one, without the files that later layers replaced or deleted",
  usage: "[OPTIONS] IMAGE",
  flags: squashFlags,
  args: [1, 1],
  complete: "image",
  examples: [
    ["squash -t web:small web", "merge all layers into one, and show the savings"],
    ["squash --from debian -t web:small web", "the layers of debian stay, shared with others"],
    ["squash --from 2 -t web:small web", "the two lowest layers stay"],
  ],
  load: async () => (await import("../verb/squash.ts")).squash,
});
