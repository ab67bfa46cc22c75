import { createHash } from "node:crypto";
import type { Distribution, InstalledPackage } from "./installed-package.ts";
import { languagePackages } from "./language-packages.ts";
import { type LicenseReference, licenseExpression } from "./license-expression.ts";
import type { PackageTree } from "./package-tree.ts";
import { packageUrl } from "./package-url.ts";
import { apkPackages, dpkgPackages, readDistribution } from "./system-packages.ts";

/** What a bill of materials is made for. */
export interface SbomSubject {
  /** The name of the document: an image's name, or a digest. */
  readonly name: string;
  /** The tool that makes it, as "thimble-0.1.0". */
  readonly tool: string;
  /** The time of the document; without one it is that of 1970, so that the same tree gives the same document. */
  readonly created?: Date;
}

/** A bill of materials in SPDX 2.3 (spdx.github.io/spdx-spec), as JSON. */
export interface SpdxDocument {
  readonly spdxVersion: "SPDX-2.3";
  readonly dataLicense: "CC0-1.0";
  readonly SPDXID: "SPDXRef-DOCUMENT";
  readonly name: string;
  readonly documentNamespace: string;
  readonly creationInfo: { readonly created: string; readonly creators: readonly string[] };
  readonly packages: readonly SpdxPackage[];
  readonly relationships: readonly SpdxRelationship[];
  readonly hasExtractedLicensingInfos?: readonly {
    readonly licenseId: string;
    readonly extractedText: string;
  }[];
}

interface SpdxPackage {
  readonly SPDXID: string;
  readonly name: string;
  readonly versionInfo?: string;
  readonly downloadLocation: "NOASSERTION";
  readonly filesAnalyzed: false;
  readonly licenseConcluded: "NOASSERTION";
  readonly licenseDeclared: string;
  readonly copyrightText: "NOASSERTION";
  readonly primaryPackagePurpose?: "CONTAINER";
  readonly sourceInfo?: string;
  readonly externalRefs?: readonly {
    readonly referenceCategory: "PACKAGE-MANAGER";
    readonly referenceType: "purl";
    readonly referenceLocator: string;
  }[];
}

interface SpdxRelationship {
  readonly spdxElementId: string;
  readonly relationshipType: "DESCRIBES" | "CONTAINS";
  readonly relatedSpdxElement: string;
}

/** More packages are not looked for. */
const maxPackages = 50_000;
const rootId = "SPDXRef-Image";

/** All packages that the databases in a tree tell of, each once, by type, name and version. */
export async function findPackages(tree: PackageTree): Promise<InstalledPackage[]> {
  const found = new Map<string, InstalledPackage>();
  for (const source of [dpkgPackages(tree), apkPackages(tree), languagePackages(tree)]) {
    for await (const each of source) {
      const { type, name, version, architecture = "" } = each;
      const key = [type, name, version, architecture].join("\n");
      const before = found.get(key);
      if (found.size >= maxPackages) break;
      // A package may lie in several places: the first by name stands for it, whatever the order of the tree.
      if (!before || each.source < before.source) found.set(key, each);
    }
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, each]) => each);
}

/** The bill of materials of a tree. */
export async function spdxDocument(tree: PackageTree, subject: SbomSubject): Promise<SpdxDocument> {
  const distribution = await readDistribution(tree);
  const installed = await findPackages(tree);
  const references = new Map<string, LicenseReference>();
  const packages = installed.map((each) => spdxPackage(each, distribution, references));
  const root: SpdxPackage = {
    SPDXID: rootId,
    name: subject.name,
    ...unasserted,
    licenseDeclared: "NOASSERTION",
    primaryPackagePurpose: "CONTAINER",
  };
  const digest = createHash("sha256").update(JSON.stringify(packages)).digest("hex");
  const created = (subject.created ?? new Date(0)).toISOString().replace(/\.\d+Z$/, "Z");
  const extracted = [...references.values()].map(({ id, text }) => ({
    licenseId: id,
    extractedText: text,
  }));
  return {
    spdxVersion: "SPDX-2.3",
    dataLicense: "CC0-1.0",
    SPDXID: "SPDXRef-DOCUMENT",
    name: subject.name,
    documentNamespace: `https://spdx.org/spdxdocs/${encodeURIComponent(subject.name)}-${digest}`,
    creationInfo: { created, creators: [`Tool: ${subject.tool}`] },
    packages: [root, ...packages],
    relationships: [
      relationship("SPDXRef-DOCUMENT", "DESCRIBES", rootId),
      ...packages.map(({ SPDXID }) => relationship(rootId, "CONTAINS", SPDXID)),
    ],
    ...(extracted.length > 0 && { hasExtractedLicensingInfos: extracted }),
  };
}

const unasserted = {
  downloadLocation: "NOASSERTION",
  filesAnalyzed: false,
  licenseConcluded: "NOASSERTION",
  copyrightText: "NOASSERTION",
} as const;

function relationship(
  spdxElementId: string,
  relationshipType: SpdxRelationship["relationshipType"],
  relatedSpdxElement: string,
): SpdxRelationship {
  return { spdxElementId, relationshipType, relatedSpdxElement };
}

function spdxPackage(
  installed: InstalledPackage,
  distribution: Distribution | undefined,
  references: Map<string, LicenseReference>,
): SpdxPackage {
  const { type, name, version, architecture = "", license, source } = installed;
  const { expression, references: used } = licenseExpression(license);
  for (const each of used) references.set(each.id, each);
  const hash = createHash("sha256")
    .update([type, name, version, architecture].join("\n"))
    .digest("hex");
  const shown = name.replace(/[^a-zA-Z0-9.-]+/g, "-");
  return {
    SPDXID: `SPDXRef-Package-${type}-${shown}-${hash.slice(0, 16)}`,
    name,
    versionInfo: version,
    ...unasserted,
    licenseDeclared: expression,
    sourceInfo: `found in /${source}`,
    externalRefs: [
      {
        referenceCategory: "PACKAGE-MANAGER",
        referenceType: "purl",
        referenceLocator: packageUrl(installed, distribution),
      },
    ],
  };
}
