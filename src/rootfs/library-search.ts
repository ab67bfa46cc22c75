import { readFile } from "node:fs/promises";
import { posix } from "node:path";
import { descriptorPath } from "#kernel";
import type { ProgramTree } from "./program-tree.ts";

/** How a program finds libraries: what ld.so(8) and musl's loader are told from outside. */
export interface LibrarySearch {
  /** LD_LIBRARY_PATH of the environment. */
  readonly libraryPath: string;
}

const triplets = ["x86_64-linux-gnu", "aarch64-linux-gnu", "i386-linux-gnu", "arm-linux-gnueabihf"];

/** Where ld.so of the usual distributions looks last. */
const usual = [
  ...triplets.flatMap((triplet) => [`/lib/${triplet}`, `/usr/lib/${triplet}`]),
  ...["/lib64", "/usr/lib64", "/lib", "/usr/lib", "/lib32", "/usr/lib32", "/usr/local/lib"],
];

const limits = { files: 64, bytes: 64 << 10 };

/** Directories in which the loader of a tree searches for libraries, apart from those that a program names itself. */
export async function libraryDirectories(
  tree: ProgramTree,
  loader: string,
  { libraryPath }: LibrarySearch,
): Promise<readonly string[]> {
  const told = libraryPath.split(/[:;]/).filter((each) => each !== "");
  const [, musl] = /ld-musl-([\w-]+)\.so/.exec(loader) ?? [];
  if (musl !== undefined) {
    const listed = await words(tree, `/etc/ld-musl-${musl}.path`);
    return [...told, ...(listed.length > 0 ? listed : ["/lib", "/usr/local/lib", "/usr/lib"])];
  }
  return [...told, ...(await configured(tree)), ...usual];
}

/** "$ORIGIN" in a program's own search paths is the directory that it is in. */
export function expandOrigin(paths: readonly string[], file: string): readonly string[] {
  const origin = posix.dirname(file);
  return paths.map((path) => path.replace(/\$(ORIGIN|\{ORIGIN\})/g, () => origin));
}

/** musl's loader is its C library, and has these names besides. */
export function isOfMusl(loader: string, library: string): boolean {
  return /ld-musl-/.test(loader) && /^lib(c|pthread|rt|m|dl|util|xnet)\./.test(library);
}

/** The directories of ld.so.conf(5), the files that it includes among them. */
async function configured(tree: ProgramTree): Promise<string[]> {
  const parts = tree.names("/etc/ld.so.conf.d").filter((name) => name.endsWith(".conf"));
  const files = ["/etc/ld.so.conf", ...parts.map((name) => `/etc/ld.so.conf.d/${name}`)];
  const found: string[] = [];
  for (const file of files.slice(0, limits.files)) found.push(...(await words(tree, file)));
  return found.filter((word) => word.startsWith("/") && !word.includes("*"));
}

async function words(tree: ProgramTree, path: string): Promise<string[]> {
  using file = tree.openFile(path);
  if (!file || file.stat.size > limits.bytes) return [];
  const text = await readFile(descriptorPath(file.fd), "utf8");
  return text
    .replace(/#.*$/gm, "")
    .split(/[\s:,]+/)
    .filter(Boolean);
}
