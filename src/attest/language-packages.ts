import { defined } from "#base";
import type { InstalledPackage } from "./installed-package.ts";
import {
  joinPath,
  maxManifest,
  type PackageTree,
  readText,
  type TreeEntry,
} from "./package-tree.ts";

/** Directories that are looked into: more are in no image that people make. */
const maxDirectories = 200_000;
const maxDepth = 60;
/** Trees of the kernel, and of what changes while a container runs. */
const skipped = new Set(["proc", "sys", "dev", "run", "tmp"]);

/** What the package managers of languages installed, wherever it lies. */
export async function* languagePackages(tree: PackageTree): AsyncGenerator<InstalledPackage, void> {
  const pending: { readonly path: string; readonly depth: number }[] = [{ path: "", depth: 0 }];
  let left = maxDirectories;
  for (let next = pending.pop(); next && left > 0; next = pending.pop(), left--) {
    const { path, depth } = next;
    const entries = await tree.list(path);
    for (const entry of entries) {
      const found = await packageAt(tree, path, entry);
      if (found) yield found;
      const isLeft = depth === 0 && skipped.has(entry.name);
      if (entry.isDirectory && depth < maxDepth && !isLeft) {
        pending.push({ path: joinPath(path, entry.name), depth: depth + 1 });
      }
    }
  }
}

async function packageAt(
  tree: PackageTree,
  directory: string,
  { name, isDirectory }: TreeEntry,
): Promise<InstalledPackage | undefined> {
  const path = joinPath(directory, name);
  if (isDirectory && /(?:^|\/)node_modules(?:\/@[^/]+)?$/.test(directory) && !/^[.@]/.test(name)) {
    return await npmPackage(tree, `${path}/package.json`);
  }
  if (isDirectory && name.endsWith(".dist-info"))
    return await pythonPackage(tree, `${path}/METADATA`);
  if (!isDirectory && name.endsWith(".gemspec") && directory.endsWith("/specifications")) {
    return await gemPackage(tree, path);
  }
  return undefined;
}

async function npmPackage(tree: PackageTree, path: string): Promise<InstalledPackage | undefined> {
  let fields: Record<string, unknown>;
  try {
    fields = JSON.parse(await readText(tree, path, maxManifest)) as Record<string, unknown>;
  } catch {
    return undefined;
  }
  const { name, version, license, licenses } = fields ?? {};
  if (typeof name !== "string" || typeof version !== "string") return undefined;
  const listed = Array.isArray(licenses)
    ? licenses.map(licenseText).filter((each) => each !== undefined)
    : [];
  const text = licenseText(license) ?? (listed.length > 0 ? listed.join(" OR ") : undefined);
  return { type: "npm", name, version, ...defined({ license: text }), source: path };
}

/** A text, or the object that old packages have. */
function licenseText(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  const { type } = (typeof value === "object" && value !== null ? value : {}) as {
    readonly type?: unknown;
  };
  return typeof type === "string" ? type : undefined;
}

/** The head of METADATA (PyPA, "Core metadata specifications"), up to the first empty line. */
async function pythonPackage(
  tree: PackageTree,
  path: string,
): Promise<InstalledPackage | undefined> {
  const [head = ""] = (await readText(tree, path, maxManifest)).split(/\r?\n\r?\n/, 1);
  const field = (name: string) => new RegExp(`^${name}:[ \\t]*(.+?)\\r?$`, "mi").exec(head)?.[1];
  const [name, version] = [field("Name"), field("Version")];
  if (name === undefined || version === undefined) return undefined;
  const classified = /^Classifier: License :: (?:OSI Approved :: )?(.+?)\r?$/m.exec(head)?.[1];
  const given = field("License-Expression") ?? field("License");
  const license =
    given !== undefined && given !== "UNKNOWN" && given.length <= 100 ? given : classified;
  return { type: "pypi", name, version, ...defined({ license }), source: path };
}

/** A specification that RubyGems wrote: assignments of texts, one a line. */
async function gemPackage(tree: PackageTree, path: string): Promise<InstalledPackage | undefined> {
  const text = await readText(tree, path, maxManifest);
  const field = (name: string) =>
    new RegExp(`^\\s*s\\.${name}\\s*=\\s*"([^"]+)"`, "m").exec(text)?.[1];
  const [name, version] = [field("name"), field("version")];
  if (name === undefined || version === undefined) return undefined;
  const licenses = [
    ...(/^\s*s\.licenses\s*=\s*\[([^\]]*)\]/m.exec(text)?.[1]?.matchAll(/"([^"]+)"/g) ?? []),
  ];
  const license = licenses.length === 0 ? undefined : licenses.map(([, each]) => each).join(" OR ");
  return { type: "gem", name, version, ...defined({ license }), source: path };
}
