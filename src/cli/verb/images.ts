import { formatBytes, shortId } from "#base";
import { splitTag } from "#client";
import type { ImageSummary } from "#wire";
import type { Verb } from "../command.ts";
import { Exit } from "../failure.ts";
import { humanSince, localTime } from "../human.ts";
import { alignColumns, printListing, type Row, withOwnFormat } from "../listing.ts";
import type { imagesFlags } from "../table/images.ts";

const heads = {
  ID: "IMAGE ID",
  Repository: "REPOSITORY",
  Tag: "TAG",
  Digest: "DIGEST",
  CreatedSince: "CREATED",
  CreatedAt: "CREATED AT",
  Size: "SIZE",
  Containers: "CONTAINERS",
  VirtualSize: "SIZE",
  SharedSize: "SHARED SIZE",
  UniqueSize: "UNIQUE SIZE",
};

type Flags = Parameters<Verb<typeof imagesFlags>>[1]["flags"];

export const images: Verb<typeof imagesFlags> = async (context, { flags: given, args }) => {
  const flags = withOwnFormat(context, given, "images");
  if (flags.tree) refuseWithTree(given);
  const [reference] = args;
  const filters = reference ? { ...flags.filter, reference: [reference] } : flags.filter;
  const list = await context.client.images.list({ all: flags.all, filters });
  if (flags.tree) {
    await context.out.write(
      treeLines(list)
        .map((line) => `${line}\n`)
        .join(""),
    );
    return 0;
  }
  const digests = flags.digests || /\{\{.*\.Digest\b.*\}\}/.test(flags.format ?? "");
  const rows = list
    .toSorted((a, b) => b.Created - a.Created)
    .flatMap((image) => imageRows(image, { trunc: !flags["no-trunc"], digests }));
  if (flags.quiet && !flags.format && !flags.json) {
    await context.out.write(rows.map((row) => `${row.ID}\n`).join(""));
    return 0;
  }
  const digest = flags.digests ? "{{.Digest}}\t" : "";
  const table = `table {{.Repository}}\t{{.Tag}}\t${digest}{{.ID}}\t{{.CreatedSince}}\t{{.Size}}`;
  await printListing(context, { table, heads, rows }, flags);
  return 0;
};

const none = "<none>";

/** As docker, whose tree has a form of its own. */
function refuseWithTree(flags: Flags): void {
  const others = ["quiet", "no-trunc", "digests", "format", "json"] as const;
  const other = others.find((name) => flags[name]);
  if (other !== undefined) throw new Exit(1, `--${other} is not supported with --tree`);
}

/** An image once, under all its names; "U" marks those that containers use. */
export function treeLines(list: readonly ImageSummary[]): string[] {
  const rows = list
    .toSorted((a, b) => b.Created - a.Created)
    .flatMap((image) => {
      const names = image.RepoTags?.length ? image.RepoTags : ["<untagged>"];
      const use = image.Containers > 0 ? "U" : "";
      const facts = [shortId(image.Id), formatBytes(image.Size), use];
      return names.map((name, index) => (index < names.length - 1 ? [name] : [name, ...facts]));
    });
  const lines = alignColumns([["IMAGE", "ID", "DISK USAGE", "EXTRA"], ...rows]);
  return lines.map((line) => line.trimEnd());
}

/** A row for each name of the image, or one without a name. */
export function imageRows(
  image: ImageSummary,
  options: { readonly trunc: boolean; readonly digests: boolean },
): Row[] {
  const digestsOf = new Map<string, string[]>();
  for (const text of image.RepoDigests ?? []) {
    const [name = "", digest = ""] = text.split("@");
    const known = digestsOf.get(name);
    if (known) known.push(digest);
    else digestsOf.set(name, [digest]);
  }
  const names: { readonly repository: string; readonly tag: string }[] = [];
  for (const text of image.RepoTags ?? []) {
    if (text === "<none>:<none>") continue;
    const { name, tag = none } = splitTag(text);
    names.push({ repository: name, tag });
  }
  for (const name of options.digests || names.length === 0 ? digestsOf.keys() : []) {
    if (!names.some(({ repository }) => repository === name) && name !== none) {
      names.push({ repository: name, tag: none });
    }
  }
  if (names.length === 0) names.push({ repository: none, tag: none });
  const created = image.Created * 1000;
  // As docker: an image with several digests in one repository has a line for each.
  const lines = names.flatMap(({ repository, tag }) => {
    const digests = digestsOf.get(repository) ?? [none];
    const shown = options.digests ? digests : digests.slice(0, 1);
    return shown.map((digest) => ({ repository, tag, digest }));
  });
  return lines.map(({ repository, tag, digest }) => ({
    ID: options.trunc ? shortId(image.Id) : image.Id,
    Repository: repository,
    Tag: tag,
    Digest: digest,
    get CreatedSince() {
      return humanSince(created);
    },
    get CreatedAt() {
      return localTime(created);
    },
    get Size() {
      return formatBytes(image.Size);
    },
    get VirtualSize() {
      return formatBytes(image.Size, 4);
    },
    Containers: image.Containers < 0 ? "N/A" : String(image.Containers),
    SharedSize: image.SharedSize < 0 ? "N/A" : formatBytes(image.SharedSize, 4),
    UniqueSize: image.SharedSize < 0 ? "N/A" : formatBytes(image.Size - image.SharedSize, 4),
  }));
}
