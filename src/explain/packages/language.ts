import type { Node } from "../merged-tree.ts";
import { type FoundPackage, maxPackages } from "./package.ts";

/** Package.json files of real packages are a few kB; METADATA holds a readme. */
const maxManifest = 1 << 20;
const maxRecord = 16 << 20;

/** How the packages of languages see the tree: by nodes, since they lie anywhere in it. */
export interface LanguageFiles {
  below(): Iterable<Node>;
  pathOf(node: Node): string;
  read(node: Node, limit: number): Buffer | undefined;
}

/**
 * Packages that languages installed beside the system's manager: node_modules with a
 * package.json, and Python's *.dist-info (PyPA, "Recording installed projects").
 */
export function* languagePackages(files: LanguageFiles): Generator<FoundPackage, void> {
  let count = 0;
  for (const node of files.below()) {
    if (!node.children || count >= maxPackages) continue;
    const found = isModule(node)
      ? npmPackage(files, node)
      : node.name.endsWith(".dist-info")
        ? pythonPackage(files, node)
        : undefined;
    if (!found) continue;
    count++;
    yield found;
  }
}

/** node_modules/NAME or node_modules/@SCOPE/NAME. */
function isModule({ name, parent }: Node): boolean {
  if (name.startsWith(".") || name.startsWith("@")) return false;
  const above = parent?.name.startsWith("@") ? parent.parent : parent;
  return above?.name === "node_modules";
}

function npmPackage(files: LanguageFiles, node: Node): FoundPackage | undefined {
  const manifest = node.children?.get("package.json");
  const bytes = manifest && files.read(manifest, maxManifest);
  if (!bytes) return undefined;
  const { name, version } = textFields(bytes);
  if (name === undefined) return undefined;
  return { manager: "npm", name, version: version ?? "", paths: below(files, node) };
}

function textFields(json: Buffer): { readonly name?: string; readonly version?: string } {
  try {
    const { name, version } = JSON.parse(json.toString("utf8")) as Record<string, unknown>;
    return {
      ...(typeof name === "string" && { name }),
      ...(typeof version === "string" && { version }),
    };
  } catch {
    return {};
  }
}

/** All in a module's directory but the modules that it brings along. */
function below(files: LanguageFiles, node: Node): Iterable<string> {
  return {
    *[Symbol.iterator]() {
      const rest: Node[] = [...(node.children?.values() ?? [])];
      for (let next = rest.pop(); next; next = rest.pop()) {
        if (next.children) {
          if (next.name !== "node_modules") rest.push(...next.children.values());
        } else yield files.pathOf(next);
      }
    },
  };
}

function pythonPackage(files: LanguageFiles, node: Node): FoundPackage | undefined {
  const record = node.children?.get("RECORD");
  const [, name, version] = /^(.+)-([^-]+)\.dist-info$/.exec(node.name) ?? [];
  if (!record || name === undefined || version === undefined || !node.parent) return undefined;
  const base = files.pathOf(node.parent);
  return {
    manager: "pip",
    name,
    version,
    paths: {
      *[Symbol.iterator]() {
        const text = files.read(record, maxRecord)?.toString("latin1") ?? "";
        for (const line of text.split(/\r?\n/)) {
          const path = recordPath(line);
          if (path === "") continue;
          yield path.startsWith("/") ? path.slice(1) : `${base}/${path}`;
        }
      },
    },
  };
}

/** The first field of a line of CSV. */
function recordPath(line: string): string {
  if (!line.startsWith('"')) return line.split(",", 1)[0] ?? "";
  return (/^"((?:[^"]|"")*)"/.exec(line)?.[1] ?? "").replaceAll('""', '"');
}
