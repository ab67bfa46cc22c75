import { defined } from "#base";
import type { Distribution, InstalledPackage } from "./installed-package.ts";
import { maxDatabase, maxManifest, type PackageTree, readText } from "./package-tree.ts";

/** The distribution that etc/os-release or usr/lib/os-release names (os-release(5)). */
export async function readDistribution(tree: PackageTree): Promise<Distribution | undefined> {
  for (const path of ["etc/os-release", "usr/lib/os-release"]) {
    const text = await readText(tree, path, maxManifest);
    const value = (key: string) =>
      new RegExp(`^${key}=["']?([^"'\\n]*)["']?$`, "m").exec(text)?.[1] ?? "";
    const id = value("ID");
    if (id !== "") return { id, version: value("VERSION_ID") };
  }
  return undefined;
}

/** Fields of a paragraph of Debian's control format (deb822(5)), names in lower case. */
function controlFields(paragraph: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (const line of paragraph.split("\n")) {
    const [, name, value] = /^([^\s:]+):\s*(.*?)\s*$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined) fields.set(name.toLowerCase(), value);
  }
  return fields;
}

/** What dpkg installed: its status file, and the directory status.d that images without dpkg have. */
export async function* dpkgPackages(tree: PackageTree): AsyncGenerator<InstalledPackage, void> {
  const base = "var/lib/dpkg";
  const sources = [{ path: `${base}/status`, limit: maxDatabase }];
  for (const { name, isDirectory } of await tree.list(`${base}/status.d`)) {
    if (isDirectory || name.endsWith(".md5sums")) continue;
    sources.push({ path: `${base}/status.d/${name}`, limit: maxManifest });
  }
  for (const { path, limit } of sources) {
    for (const paragraph of (await readText(tree, path, limit)).split(/\n\n+/)) {
      const fields = controlFields(paragraph);
      const [name, version] = [fields.get("package"), fields.get("version")];
      const state = fields.get("status")?.split(" ")[2] ?? "installed";
      if (name === undefined || version === undefined || state !== "installed") continue;
      const architecture = fields.get("architecture");
      yield { type: "deb", name, version, ...defined({ architecture }), source: path };
    }
  }
}

/** What apk installed (wiki.alpinelinux.org, "Apk spec"): fields of one letter, a paragraph for each package. */
export async function* apkPackages(tree: PackageTree): AsyncGenerator<InstalledPackage, void> {
  for (const path of ["lib/apk/db/installed", "usr/lib/apk/db/installed"]) {
    const text = await readText(tree, path, maxDatabase);
    if (text === "") continue;
    for (const paragraph of text.split(/\n\n+/)) {
      const field = (letter: string) => new RegExp(`^${letter}:(.*)$`, "m").exec(paragraph)?.[1];
      const [name, version] = [field("P"), field("V")];
      if (name === undefined || version === undefined) continue;
      const more = defined({ architecture: field("A"), license: field("L") });
      yield { type: "apk", name, version, ...more, source: path };
    }
    // The second place is a link to the first one, or the other way round.
    return;
  }
}
