/**
 * attest: what is said about an image beside it: a bill of materials (SBOM) in SPDX 2.3, the
 * provenance of its build in SLSA v1, and the manifest that holds both in an index, as BuildKit
 * writes them. Pure but for the tree, which is read through a port.
 *
 * Nothing in it depends on the clock: times are given, or left out.
 *
 * Words: a predicate is what is said; a statement says it of a subject, which is an image by its
 * digest; a material is what went into a build; a package URL names a package anywhere.
 */

export {
  type AttestationManifest,
  attestationManifest,
  type StoredDocument,
} from "./attestation-manifest.ts";
export type { InstalledPackage, PackageType } from "./installed-package.ts";
export type { PackageTree, TreeEntry } from "./package-tree.ts";
export { imageUrl } from "./package-url.ts";
export { type Material, type ProvenanceInput, slsaProvenance } from "./provenance.ts";
export { findPackages, type SbomSubject, type SpdxDocument, spdxDocument } from "./spdx.ts";
export { predicateTypes, type Statement, statement, statementOf } from "./statement.ts";
