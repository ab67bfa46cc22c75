/** Where a package database looks at the merged tree; paths are bytes as characters, links followed inside the tree. */
export interface PackageFiles {
  /** A regular file of at most `limit` bytes, else undefined. */
  read(path: string, limit?: number): Buffer | undefined;
  /** Names in a directory; an empty list when it is missing. */
  list(path: string): readonly string[];
}

export type PackageManager = "dpkg" | "apk" | "rpm" | "npm" | "pip";

export interface FoundPackage {
  readonly manager: PackageManager;
  readonly name: string;
  readonly version: string;
  readonly architecture?: string;
  /** Bytes, as the database has it. */
  readonly installedSize?: number;
  /** The files and directories that it claims, relative to the root. */
  readonly paths: Iterable<string>;
}

/** A database that was found and could not be read, and why. */
export interface UnreadDatabase {
  readonly manager: PackageManager;
  readonly path: string;
  readonly why: string;
}

export interface PackageSet {
  readonly packages: readonly FoundPackage[];
  readonly unread: readonly UnreadDatabase[];
}

/** dpkg's status of a full desktop is 5 MB. */
export const maxDatabase = 64 << 20;
export const maxPackages = 50_000;

/** Fields of a paragraph of Debian's control format (deb822(5)), names in lower case; continued lines are left out. */
export function paragraphFields(paragraph: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (const line of paragraph.split("\n")) {
    const colon = line.indexOf(":");
    if (colon <= 0 || line.startsWith(" ") || line.startsWith("\t")) continue;
    fields.set(line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim());
  }
  return fields;
}
