/** One name in a directory. */
export interface TreeEntry {
  readonly name: string;
  readonly isDirectory: boolean;
}

/**
 * The tree of an image, read only as far as packages are looked for. Paths are relative to the
 * root, without a slash in front; links are followed within the tree, by whoever implements it.
 */
export interface PackageTree {
  /** What is in a directory, in any order; empty when it is not there. */
  list(path: string): Promise<readonly TreeEntry[]>;
  /** A regular file of at most `limit` bytes, else undefined. */
  read(path: string, limit: number): Promise<Uint8Array | undefined>;
}

/** Databases of systems are 5 MB for a full desktop. */
export const maxDatabase = 64 << 20;
/** Files that describe one package. */
export const maxManifest = 1 << 20;

/** The text of a file, "" when it is not there. */
export async function readText(tree: PackageTree, path: string, limit: number): Promise<string> {
  const bytes = await tree.read(path, limit);
  return bytes === undefined ? "" : Buffer.from(bytes).toString("utf8");
}

/** "a/b" of its parts, without empty ones. */
export function joinPath(...parts: readonly string[]): string {
  return parts.filter((part) => part !== "").join("/");
}
