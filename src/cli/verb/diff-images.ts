import { formatBytes, shortId } from "#base";
import type { ComparedFile, ImageComparison } from "#wire";
import type { Style } from "../style.ts";
import { columns, count, permissions, plain, section, signed } from "./explain-text.ts";

/** How two images differ, for people. */
export function describeComparison(found: ImageComparison, style: Style): string {
  const isEqual = found.changes.length === 0 && found.config.length === 0;
  return [
    summary(found, style),
    isEqual ? "\nA container sees the same files and settings.\n" : "",
    settings(found, style),
    packages(found, style),
    section("Files", fileNote(found), fileTable(found, style), style),
  ].join("");
}

function summary({ from, to, sharedLayers }: ImageComparison, style: Style): string {
  const rows = [from, to].map((image) => [
    image.tags[0] ?? shortId(image.id),
    shortId(image.id),
    String(image.layers),
    formatBytes(image.bytes),
    formatBytes(image.compressed),
  ]);
  rows.push([
    "difference",
    "",
    `${sharedLayers} shared`,
    signed(to.bytes - from.bytes),
    signed(to.compressed - from.compressed),
  ]);
  return columns(["IMAGE", "ID", "LAYERS", "SIZE", "COMPRESSED"], rows, style);
}

function settings({ config }: ImageComparison, style: Style): string {
  const shown = (value: string | undefined) => (value === undefined ? "-" : value || '""');
  const rows = config.map(({ field, from, to }) => [field, shown(from), shown(to)]);
  return section("Settings", "", columns(["NAME", "FROM", "TO"], rows, style), style);
}

function packages({ packages: found }: ImageComparison, style: Style): string {
  const rows = [
    ...found.added.map(({ manager, name, version }) => ["+", manager, name, "", version]),
    ...found.removed.map(({ manager, name, version }) => ["-", manager, name, version, ""]),
    ...found.changed.map(({ manager, name, from, version }) => ["~", manager, name, from, version]),
  ];
  const note = `${found.added.length} added, ${found.removed.length} removed, ${found.changed.length} changed`;
  return section("Packages", note, columns(["", "BY", "NAME", "FROM", "TO"], rows, style), style);
}

function fileNote({ added, removed, changed, more }: ImageComparison): string {
  const parts = [
    `${count(added.files, "file")} added (${signed(added.bytes)})`,
    `${count(removed.files, "file")} removed (${signed(-removed.bytes)})`,
    `${count(changed.files, "name")} changed (${signed(changed.bytes)})`,
  ];
  return parts.join(", ") + (more > 0 ? `; ${count(more, "change")} more, see --top` : "");
}

const letters = { added: "A", removed: "D", changed: "C" } as const;

function fileTable({ changes }: ImageComparison, style: Style): string {
  const rows = changes.map((change) => [
    letters[change.kind],
    formatBytes(change.bytes),
    change.path,
    detail(change),
  ]);
  return columns(["", "SIZE", "PATH", "WHAT"], rows, style);
}

function detail({ kind, path, files, aspects = [], from, to }: ComparedFile): string {
  if (kind !== "changed") return path.endsWith("/") ? count(files, "file") : "";
  if (!from || !to) return "";
  return aspects
    .map((aspect) => {
      if (aspect === "size") return `size ${formatBytes(from.bytes)} -> ${formatBytes(to.bytes)}`;
      if (aspect === "mode") return `mode ${permissions(from.mode)} -> ${permissions(to.mode)}`;
      if (aspect === "owner") return `owner ${from.uid}:${from.gid} -> ${to.uid}:${to.gid}`;
      if (aspect === "link") return `link ${plain(from.target ?? "")} -> ${plain(to.target ?? "")}`;
      return aspect === "type" ? `type ${from.type} -> ${to.type}` : aspect;
    })
    .join(", ");
}
