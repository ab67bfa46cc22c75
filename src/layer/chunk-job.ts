import type { BackupKey, BlobRef, KeyHolders, KeyOpener, SegmentRef, WrittenStream } from "#chunk";
import type { Digest } from "#image";
import type { Source } from "./job.ts";

/** A segment in a file, decrypted. */
export interface KnownSegment {
  readonly path: string;
  /** Its blob, if it is one of its own. */
  readonly stored?: SegmentRef;
}

/** A directory whose archive is cut into chunks. */
export interface ChunkRequest {
  readonly directory: string;
  /** An existing directory for the new blobs: each in a file that is named by its digest's digits, whose receiver removes it. */
  readonly spool: string;
  /** Bytes of a chunk on average; a power of two. */
  readonly average: number;
  /** Bytes of a pack, about. */
  readonly packBytes: number;
  readonly key?: BackupKey | undefined;
  /** The segments of the last backup, which have blobs of their own, and those of single packs. */
  readonly known: readonly KnownSegment[];
  /** The packs that are stored. */
  readonly packs: readonly Digest[];
}

/** A new blob in a file of the spool; beside a pack's, in PATH.contents, a segment of its chunks. */
export interface SpooledBlob extends BlobRef {
  readonly kind: "pack" | "segment";
  readonly path: string;
}

/** The messages of a chunk job, encoded as JSON: blobs, and the whole stream as the last one. */
export type ChunkMessage =
  | SpooledBlob
  | { readonly kind: "written"; readonly written: WrittenStream };

/** An archive in chunks to unpack. */
export interface UnchunkRequest {
  /** An existing, empty directory. */
  readonly target: string;
  /** Files of the segments in order, decrypted. */
  readonly segments: readonly string[];
  /** The directory that has the packs, decrypted, each named by its digest's digits. */
  readonly packs: string;
  /** Bytes of the archive. */
  readonly size: number;
  readonly key?: BackupKey | undefined;
}

/** A blob to check, decrypt and keep in a new file. */
export interface KeepRequest extends BlobRef {
  readonly source: Source;
  readonly path: string;
  readonly key?: BackupKey | undefined;
}

export interface ChunkJobs {
  /** Its output is messages: see `ChunkMessage`. */
  readonly chunk: { readonly request: ChunkRequest; readonly result: undefined };
  readonly unchunk: { readonly request: UnchunkRequest; readonly result: { entries: number } };
  readonly keep: { readonly request: KeepRequest; readonly result: undefined };
  readonly createKey: {
    readonly request: KeyHolders;
    readonly result: { readonly key: BackupKey; readonly file: Uint8Array };
  };
  readonly openKey: {
    readonly request: { readonly file: Uint8Array; readonly opener: KeyOpener };
    readonly result: BackupKey;
  };
}
