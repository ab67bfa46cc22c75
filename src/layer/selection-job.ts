import type { Digest } from "#image";
import type { CopyRules } from "./copy-tree.ts";
import type { Selection } from "./selection.ts";

/** What COPY or ADD brings into a tree. */
export interface CopyFilesRequest {
  /** The root of the tree that is changed. */
  readonly root: string;
  readonly rules: CopyRules;
  readonly parts: readonly CopyFilesPart[];
}

/** One source; each is copied over what those before it made. */
type CopyFilesPart =
  | {
      readonly kind: "files";
      readonly selection: Selection;
      /** Sources that are archives are unpacked. */
      readonly unpacks: boolean;
    }
  | { readonly kind: "document"; readonly name: string; readonly text: string };

export interface CopyFilesResult {
  readonly entries: number;
  /** Of files that were copied. */
  readonly bytes: number;
}

/** Files whose digest is wanted. */
export interface DigestFilesRequest {
  readonly selections: readonly Selection[];
  /** A file that keeps the digests of files of the one directory that all selections are of. */
  readonly memo?: string | undefined;
  /** Whether the digest of each file is wanted too. */
  readonly isListed?: boolean;
}

export interface DigestFilesResult {
  readonly digest: Digest;
  /** "PATH NUL DIGEST newline" for each file, paths from the root; nothing unless asked for. */
  readonly files: Uint8Array;
}

/** A directory of the engine's that shall be as a client's; the list comes as the job's input. */
export interface MatchTreeRequest {
  readonly directory: string;
}

export interface MatchTreeResult {
  /** Lines of the list, from 0: files whose content is not here. */
  readonly wanted: Uint32Array;
  /** Of these files. */
  readonly bytes: number;
}

/** The jobs of a worker that are about files of builds. */
export interface SelectionJobs {
  readonly copyFiles: { readonly request: CopyFilesRequest; readonly result: CopyFilesResult };
  readonly matchTree: { readonly request: MatchTreeRequest; readonly result: MatchTreeResult };
  readonly digestFiles: {
    readonly request: DigestFilesRequest;
    readonly result: DigestFilesResult;
  };
}
