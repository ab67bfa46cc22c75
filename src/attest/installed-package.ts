/** Who installs packages, by the words of package URLs (github.com/package-url/purl-spec). */
export type PackageType = "deb" | "apk" | "npm" | "pypi" | "gem";

/** A package that a database in a tree tells of. */
export interface InstalledPackage {
  readonly type: PackageType;
  readonly name: string;
  readonly version: string;
  readonly architecture?: string;
  /** As the database has it; not always an expression of SPDX. */
  readonly license?: string;
  /** The file that tells of it. */
  readonly source: string;
}

/** The distribution of a tree, of its os-release file. */
export interface Distribution {
  readonly id: string;
  readonly version: string;
}
