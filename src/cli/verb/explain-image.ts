import { formatBytes, shortId } from "#base";
import type { ExplainedTree, ImageExplanation } from "#wire";
import { ellipsis } from "../human.ts";
import type { Style } from "../style.ts";
import { columns, count, plain, section, share } from "./explain-text.ts";

/** An explanation for people: a summary, then a table for each question. */
export function describeImage(
  found: ImageExplanation,
  style: Style,
  layer: string | undefined,
): string {
  const scope = layer === undefined ? "" : `layer ${layer} alone`;
  return [
    summary(found, style),
    layers(found, style),
    section("Directories", scope, tree(found.tree, style), style),
    packages(found, scope, style),
    files(found, scope, style),
    unowned(found, scope, style),
    wasted(found, style),
    duplicates(found, style),
    hints(found, scope, style),
  ].join("");
}

function summary(
  { image, total, compressed, layers: all }: ImageExplanation,
  style: Style,
): string {
  const name = image.tags[0] ?? shortId(image.id);
  const bytes = formatBytes(total.bytes);
  const lines = [
    `${style.bold(plain(name))}  ${bytes} in ${count(all.length, "layer")}, ${formatBytes(compressed)} compressed`,
    `Visible  ${formatBytes(total.visible)} in ${count(total.files, "file")}`,
  ];
  if (total.wasted === 0) lines.push("Wasted   nothing");
  else {
    const parts = [
      ...(total.deleted > 0 ? [`${formatBytes(total.deleted)} deleted later`] : []),
      ...(total.replaced > 0 ? [`${formatBytes(total.replaced)} replaced`] : []),
      ...(total.unchanged > 0
        ? [`${formatBytes(total.unchanged)} of that with the same bytes`]
        : []),
    ];
    const amount = style.yellow(
      `${formatBytes(total.wasted)} (${share(total.wasted, total.bytes)})`,
    );
    lines.push(`Wasted   ${amount}: ${parts.join(", ")}`);
  }
  return lines.map((line) => `${line}\n`).join("");
}

function layers({ layers: all }: ImageExplanation, style: Style): string {
  const rows = all.map((each) => [
    String(each.layer),
    formatBytes(each.bytes),
    formatBytes(each.compressed),
    formatBytes(each.visible),
    formatBytes(each.hides),
    String(each.files),
    shortId(each.diffId),
    ellipsis(each.createdBy.replace(/\s+/g, " "), 60),
  ]);
  const head = ["#", "SIZE", "COMPRESSED", "VISIBLE", "HIDES", "FILES", "DIFF ID", "CREATED BY"];
  return section("Layers", "the lowest first", columns(head, rows, style), style);
}

function tree(root: ExplainedTree, style: Style): string {
  const rows: string[][] = [];
  const add = (node: ExplainedTree, depth: number) => {
    const name = depth === 0 ? "/" : (/[^/]+\/$/.exec(node.path)?.[0] ?? node.path);
    rows.push([
      formatBytes(node.bytes),
      share(node.bytes, root.bytes),
      String(node.files),
      `${"  ".repeat(depth)}${name}`,
    ]);
    for (const child of node.children ?? []) add(child, depth + 1);
    if (node.rest && (node.children?.length ?? 0) > 0 && node.rest.bytes > 0) {
      const { bytes, files: number } = node.rest;
      const text = `${"  ".repeat(depth + 1)}(the rest)`;
      rows.push([formatBytes(bytes), share(bytes, root.bytes), String(number), text]);
    }
  };
  if (root.files > 0) add(root, 0);
  return columns(["SIZE", "SHARE", "FILES", "DIRECTORY"], rows, style);
}

function packages({ packages: found }: ImageExplanation, scope: string, style: Style): string {
  const rows = found.list.map((each) => [
    formatBytes(each.bytes),
    each.installedSize === undefined ? "" : formatBytes(each.installedSize),
    String(each.files),
    each.layers.join(","),
    each.manager,
    each.name,
    each.version,
  ]);
  const unread = found.unread
    .map(({ path, why }) => `  ${plain(`/${path}`)}: unknown: ${plain(why)}\n`)
    .join("");
  const head = ["SIZE", "INSTALLED-SIZE", "FILES", "LAYER", "BY", "NAME", "VERSION"];
  const table = columns(head, rows, style);
  if (table === "" && unread === "")
    return section("Packages", "", "  no database of packages\n", style);
  const note = `${count(found.count, "package")}, ${formatBytes(found.bytes)}${scope && `; ${scope}`}`;
  return section("Packages", note, `${table}${unread}`, style);
}

function files({ files: list }: ImageExplanation, scope: string, style: Style): string {
  const rows = list.map((each) => [
    formatBytes(each.bytes),
    String(each.layer),
    each.package ?? "-",
    each.path,
  ]);
  return section("Files", scope, columns(["SIZE", "LAYER", "PACKAGE", "FILE"], rows, style), style);
}

function unowned(
  { unowned: found, packages: { managers } }: ImageExplanation,
  scope: string,
  style: Style,
): string {
  if (managers.length === 0) return "";
  const rows = found.list.map((each) => [formatBytes(each.bytes), String(each.files), each.path]);
  const note = `${formatBytes(found.bytes)} in ${count(found.files, "file")}${scope && `; ${scope}`}`;
  return section("In no package", note, columns(["SIZE", "FILES", "PATH"], rows, style), style);
}

function wasted({ wasted: found, total }: ImageExplanation, style: Style): string {
  const rows = found.list.map((each) => [
    formatBytes(each.bytes),
    String(each.files),
    each.layers.join(","),
    `${each.kind} by ${each.by.join(",")}`,
    each.path,
  ]);
  const note = `${formatBytes(total.wasted)} at ${count(found.count, "path")}`;
  const table = columns(["SIZE", "FILES", "LAYER", "WHY", "PATH"], rows, style);
  return section("Wasted", note, table, style);
}

function duplicates({ duplicates: found }: ImageExplanation, style: Style): string {
  const rows = found.list.map((each) => [
    formatBytes(each.extra),
    String(each.copies),
    each.files
      .slice(0, 3)
      .map(({ path }) => path)
      .join("  ") + (each.copies > 3 ? "  …" : ""),
  ]);
  const note = `${formatBytes(found.bytes)} in further copies of files of ${formatBytes(found.atLeast)} and more`;
  return section("Duplicates", note, columns(["EXTRA", "COPIES", "FILES"], rows, style), style);
}

function hints({ hints: list }: ImageExplanation, scope: string, style: Style): string {
  const rows = list.map(({ bytes, files: number, what, advice }) => [
    formatBytes(bytes),
    String(number),
    what,
    advice,
  ]);
  const table = columns(["SIZE", "FILES", "WHAT", "HOW NOT TO HAVE IT"], rows, style);
  return section("Leftovers", scope, table, style);
}
