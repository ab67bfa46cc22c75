import type { PackageManager, UnreadDatabase } from "./packages/package.ts";

/** Where the bytes of an image are. Paths begin with "/"; a directory's ends with one. Layers are counted from 1, the lowest. */
export interface Explanation {
  readonly total: {
    /** Bytes of the files of all layers. */
    readonly bytes: number;
    /** The part of them that a container sees. */
    readonly visible: number;
    readonly files: number;
    /** The part of them that a later layer replaced or deleted. */
    readonly wasted: number;
    readonly replaced: number;
    readonly deleted: number;
    /**
     * The part of the replaced ones whose later file has the same bytes, as after a chmod or chown.
     */
    readonly unchanged: number;
    /** Visible share of all bytes, 0 to 1. */
    readonly efficiency: number;
  };
  readonly layers: readonly LayerExplanation[];
  /** The tree that a container sees, or with `layer` the part of it that is in that layer. */
  readonly tree: TreeExplanation;
  readonly files: readonly FileExplanation[];
  readonly packages: {
    /** Package managers whose database was found; without one nothing is known of packages. */
    readonly managers: readonly PackageManager[];
    readonly unread: readonly UnreadDatabase[];
    readonly count: number;
    /** The bytes of all packages together. */
    readonly bytes: number;
    /** The largest. */
    readonly list: readonly PackageExplanation[];
  };
  /** Files that belong to no package; a directory stands for all in it. */
  readonly unowned: {
    readonly bytes: number;
    readonly files: number;
    readonly list: readonly SizedPath[];
  };
  readonly wasted: {
    readonly count: number;
    /** The largest. */
    readonly list: readonly WastedPath[];
  };
  readonly duplicates: {
    /** Bytes of the copies beyond the first. */
    readonly bytes: number;
    readonly count: number;
    /** Smaller files were not looked at. */
    readonly atLeast: number;
    /** The largest. */
    readonly list: readonly DuplicateFiles[];
  };
  readonly hints: readonly HintExplanation[];
}

/** The content of one layer; `layer` is counted from 1, the lowest. */
export interface LayerExplanation {
  readonly layer: number;
  /** Bytes of its files. */
  readonly bytes: number;
  readonly files: number;
  /** The part of them that a container sees. */
  readonly visible: number;
  readonly added: number;
  readonly changed: number;
  readonly deleted: number;
  /** The bytes of lower layers that this one hides. */
  readonly hides: number;
}

/** A file, or a directory with all that is below it. */
export interface SizedPath {
  readonly path: string;
  readonly bytes: number;
  /** Names other than directories: links too. */
  readonly files: number;
}

/** A directory's share of the bytes. */
export interface TreeExplanation extends SizedPath {
  /** The largest; absent at the depth limit. */
  readonly children?: readonly TreeExplanation[];
  /** All that is not among the children: files, and directories beyond the largest. */
  readonly rest?: { readonly bytes: number; readonly files: number };
}

/** One of the largest files, and where it comes from. */
export interface FileExplanation {
  readonly path: string;
  readonly bytes: number;
  readonly layer: number;
  readonly package?: string;
  /** Further names of the same file in the image. */
  readonly links: number;
}

/** A package that the image contains. */
export interface PackageExplanation {
  readonly manager: PackageManager;
  readonly name: string;
  readonly version: string;
  readonly architecture?: string;
  /** The bytes of its files in the image; each file is counted for one package. */
  readonly bytes: number;
  readonly files: number;
  /** As its database says. */
  readonly installedSize?: number;
  /** Files that its database lists and the image lacks. */
  readonly missing: number;
  readonly layers: readonly number[];
}

/** A path whose bytes are in the image and that no container sees. */
export interface WastedPath extends SizedPath {
  readonly kind: "replaced" | "deleted";
  /** The layers that the bytes are in. */
  readonly layers: readonly number[];
  /** The layers that hid them. */
  readonly by: readonly number[];
}

/** Files with equal content. */
export interface DuplicateFiles {
  /** The size of one of them. */
  readonly bytes: number;
  readonly copies: number;
  /** Bytes of the copies beyond the first. */
  readonly extra: number;
  /** At most 10. */
  readonly files: readonly { readonly path: string; readonly layer: number }[];
}

/** Files that an image seldom needs: `what` names them, `advice` says how to leave them out. */
export interface HintExplanation {
  readonly kind: string;
  readonly what: string;
  readonly advice: string;
  readonly bytes: number;
  readonly files: number;
  readonly example: string;
}
