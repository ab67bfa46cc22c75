import { defined } from "#base";
import { type FoundPackage, maxDatabase, type PackageFiles, paragraphFields } from "./package.ts";

const base = "var/lib/dpkg";
const maxList = 16 << 20;

/**
 * The packages that dpkg installed: its status file with the lists of info/ (deb-split
 * distributions like distroless keep a paragraph and the checksums of each package in status.d/). A
 * path that another package diverted (dpkg-divert(1)) is given by where it went.
 */
export function* dpkgPackages(files: PackageFiles): Generator<FoundPackage, void> {
  const diversions = readDiversions(files.read(`${base}/diversions`)?.toString("latin1") ?? "");
  const status = files.read(`${base}/status`, maxDatabase)?.toString("latin1") ?? "";
  for (const paragraph of status.split(/\n\n+/)) {
    const fields = paragraphFields(paragraph);
    const name = fields.get("package");
    const state = fields.get("status")?.split(" ")[2];
    if (name === undefined || state === "config-files" || state === "not-installed") continue;
    yield found(fields, name, () => listOf(files, name, fields.get("architecture"), diversions));
  }
  for (const entry of files.list(`${base}/status.d`)) {
    if (entry.endsWith(".md5sums")) continue;
    const fields = paragraphFields(
      files.read(`${base}/status.d/${entry}`, maxList)?.toString("latin1") ?? "",
    );
    const name = fields.get("package");
    if (name === undefined) continue;
    const sums = `${base}/status.d/${entry}.md5sums`;
    yield found(fields, name, () => sumPaths(files.read(sums, maxList)));
  }
}

function found(
  fields: ReadonlyMap<string, string>,
  name: string,
  paths: () => Iterable<string>,
): FoundPackage {
  const architecture = fields.get("architecture");
  // deb-control(5): in units of 1,024 bytes.
  const kibibytes = Number.parseInt(fields.get("installed-size") ?? "", 10);
  return {
    manager: "dpkg",
    name,
    version: fields.get("version") ?? "",
    ...defined({ architecture }),
    ...(kibibytes >= 0 && { installedSize: kibibytes * 1024 }),
    paths: { [Symbol.iterator]: () => paths()[Symbol.iterator]() },
  };
}

function* listOf(
  files: PackageFiles,
  name: string,
  architecture: string | undefined,
  diversions: ReadonlyMap<string, { readonly to: string; readonly by: string }>,
): Generator<string, void> {
  const list =
    files.read(`${base}/info/${name}.list`, maxList) ??
    files.read(`${base}/info/${name}:${architecture}.list`, maxList);
  for (const line of list?.toString("latin1").split("\n") ?? []) {
    const path = line.replace(/^\/+/, "");
    if (path === "" || path === ".") continue;
    const diversion = diversions.get(path);
    yield diversion && diversion.by !== name ? diversion.to : path;
  }
}

/** "HASH  path" a line. */
function* sumPaths(sums: Buffer | undefined): Generator<string, void> {
  for (const line of sums?.toString("latin1").split("\n") ?? []) {
    const path = /^[0-9a-f]{32} [ *](.+)$/.exec(line)?.[1];
    if (path !== undefined) yield path.replace(/^(\.?\/)+/, "");
  }
}

/** Three lines each: the path, where it is diverted to, the package that did it. */
function readDiversions(
  text: string,
): ReadonlyMap<string, { readonly to: string; readonly by: string }> {
  const lines = text.split("\n");
  const diversions = new Map<string, { to: string; by: string }>();
  for (let at = 0; at + 2 < lines.length; at += 3) {
    const [from = "", to = "", by = ""] = lines.slice(at, at + 3);
    diversions.set(from.replace(/^\/+/, ""), { to: to.replace(/^\/+/, ""), by });
  }
  return diversions;
}
