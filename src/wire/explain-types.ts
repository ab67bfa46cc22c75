/**
 * Answers of thimble's own API about the content of images: see explain.ts for the questions.
 * Sizes are bytes, layers are counted from 1, the lowest. Paths begin with "/"; a directory's
 * ends with one.
 */

/** The image that an answer is about: its id, the digest of its manifest, and its names. */
export interface ImageIdentity {
  readonly id: string;
  readonly digest: string;
  readonly tags: readonly string[];
}

/** Where the bytes of an image are. */
export interface ImageExplanation {
  readonly image: ImageIdentity;
  /** Bytes of all blobs, as they are pulled. */
  readonly compressed: number;
  readonly total: {
    readonly bytes: number;
    readonly visible: number;
    readonly files: number;
    readonly wasted: number;
    readonly replaced: number;
    readonly deleted: number;
    readonly unchanged: number;
    readonly efficiency: number;
  };
  readonly layers: readonly ExplainedLayer[];
  readonly tree: ExplainedTree;
  readonly files: readonly ExplainedFile[];
  readonly packages: {
    readonly managers: readonly string[];
    readonly unread: readonly {
      readonly manager: string;
      readonly path: string;
      readonly why: string;
    }[];
    readonly count: number;
    readonly bytes: number;
    readonly list: readonly ExplainedPackage[];
  };
  readonly unowned: {
    readonly bytes: number;
    readonly files: number;
    readonly list: readonly SizedPath[];
  };
  readonly wasted: { readonly count: number; readonly list: readonly WastedPath[] };
  readonly duplicates: {
    readonly bytes: number;
    readonly count: number;
    readonly atLeast: number;
    readonly list: readonly DuplicateFiles[];
  };
  readonly hints: readonly {
    readonly kind: string;
    readonly what: string;
    readonly advice: string;
    readonly bytes: number;
    readonly files: number;
    readonly example: string;
  }[];
}

/**
 * What one layer holds. `bytes` and `files` are all of its own, `visible` the part that a container
 * sees, `hides` the bytes of lower layers that it covers; `compressed` is the blob's size.
 */
export interface ExplainedLayer {
  readonly layer: number;
  readonly diffId: string;
  readonly digest: string;
  readonly compressed: number;
  readonly createdBy: string;
  readonly bytes: number;
  readonly files: number;
  readonly visible: number;
  readonly added: number;
  readonly changed: number;
  readonly deleted: number;
  readonly hides: number;
}

/** A file, or a directory with all that is below it. */
export interface SizedPath {
  readonly path: string;
  readonly bytes: number;
  readonly files: number;
}

/** A directory's share; `rest` sums everything beyond the largest `children`. */
export interface ExplainedTree extends SizedPath {
  readonly children?: readonly ExplainedTree[];
  readonly rest?: { readonly bytes: number; readonly files: number };
}

/** One of the largest files; `links` counts its further names. */
export interface ExplainedFile {
  readonly path: string;
  readonly bytes: number;
  readonly layer: number;
  readonly package?: string;
  readonly links: number;
}

/**
 * One of the largest packages. `bytes` are those of its files in the image, `installedSize` what
 * its database says, `missing` the files that are listed there and not in the image.
 */
export interface ExplainedPackage {
  readonly manager: string;
  readonly name: string;
  readonly version: string;
  readonly architecture?: string;
  readonly bytes: number;
  readonly files: number;
  readonly installedSize?: number;
  readonly missing: number;
  readonly layers: readonly number[];
}

/** Bytes in `layers` that no container sees, because the layers in `by` hide them. */
export interface WastedPath extends SizedPath {
  readonly kind: "replaced" | "deleted";
  readonly layers: readonly number[];
  readonly by: readonly number[];
}

/** Files with equal content. `bytes` is the size of one, `extra` that of all but the first. */
export interface DuplicateFiles {
  readonly bytes: number;
  readonly copies: number;
  readonly extra: number;
  readonly files: readonly { readonly path: string; readonly layer: number }[];
}

/** Where one path of an image comes from. */
export interface ImagePathExplanation {
  readonly image: ImageIdentity;
  readonly path: string;
  readonly resolved: string;
  readonly exists: boolean;
  readonly type?: string;
  readonly bytes?: number;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly target?: string;
  readonly layer?: number;
  readonly package?: { readonly manager: string; readonly name: string; readonly version: string };
  readonly steps: readonly {
    readonly layer: number;
    readonly diffId: string;
    readonly createdBy: string;
    readonly action: "added" | "replaced" | "deleted";
    readonly bytes?: number;
    readonly mode?: number;
    readonly uid?: number;
    readonly gid?: number;
    readonly with?: string;
  }[];
}

/** Bytes of an image's files, and of its blobs as they are pulled. */
export interface ImageWeight {
  readonly layers: number;
  readonly bytes: number;
  readonly compressed: number;
}

/** How one image differs from another. */
export interface ImageComparison {
  readonly from: ImageIdentity & ImageWeight;
  readonly to: ImageIdentity & ImageWeight;
  readonly sharedLayers: number;
  readonly config: readonly {
    readonly field: string;
    readonly from?: string;
    readonly to?: string;
  }[];
  readonly added: { readonly files: number; readonly bytes: number };
  readonly removed: { readonly files: number; readonly bytes: number };
  readonly changed: { readonly files: number; readonly bytes: number };
  readonly changes: readonly ComparedFile[];
  /** The number of changes that are not listed. */
  readonly more: number;
  readonly packages: {
    readonly added: readonly ComparedPackage[];
    readonly removed: readonly ComparedPackage[];
    readonly changed: readonly (ComparedPackage & { readonly from: string })[];
  };
}

/**
 * A path that differs; a directory that came or went as a whole is one entry. `bytes` of a changed
 * file is its new size; `aspects` names the respects in which it changed.
 */
export interface ComparedFile {
  readonly kind: "added" | "removed" | "changed";
  readonly path: string;
  readonly bytes: number;
  readonly files: number;
  readonly aspects?: readonly string[];
  readonly from?: ComparedState;
  readonly to?: ComparedState;
}

/** A file as one of the two images has it; `mode` as in stat(2), without the type. */
export interface ComparedState {
  readonly type: string;
  readonly bytes: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly target?: string;
}

/** A package and its version in the later image, or in the earlier one when it was removed. */
export interface ComparedPackage {
  readonly manager: string;
  readonly name: string;
  readonly architecture?: string;
  readonly version: string;
}

/** The result of a squash; the last message of its stream has it as `aux`. */
export interface SquashReport extends ImageIdentity {
  readonly kept: number;
  readonly merged: number;
  readonly before: ImageWeight;
  readonly after: ImageWeight;
}

/** The part of a bill of materials in SPDX 2.3 that is shown; the document has more. */
export interface BillOfMaterials {
  readonly name: string;
  /** The image itself first. */
  readonly packages: readonly {
    readonly name: string;
    readonly versionInfo?: string;
    readonly licenseDeclared: string;
    readonly externalRefs?: readonly { readonly referenceLocator: string }[];
  }[];
}
