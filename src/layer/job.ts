import type { DiffId, Digest, DigestAlgorithm } from "#image";
import type { TarLimits, TarType } from "#tar";
import type { ChunkJobs } from "./chunk-job.ts";
import type { ExpansionLimits } from "./compression.ts";
import type { CompressionChoice } from "./compression-choice.ts";
import type { ExtractOptions } from "./extract.ts";
import type { MergeOptions, MergeResult } from "./merge.ts";
import type { PackOptions } from "./pack.ts";
import type { ScanOptions } from "./scan.ts";
import type { SelectionJobs } from "./selection-job.ts";

/** Where the bytes of a job come from: a file, or the stream sent along. */
export type Source = { readonly path: string } | "stream";

export interface ReceiveRequest {
  readonly source: Source;
  /** Where the bytes of the source are kept as they are: a new file, which must turn out so. */
  readonly blob?: { readonly path: string; readonly digest: Digest; readonly size: number };
  /** An existing directory. */
  readonly target: string;
  /** Directories of the layers below, uppermost first, if they are there already. */
  readonly lowers: readonly string[];
  /** The algorithm of the diff id. Default sha256. */
  readonly diffAlgorithm?: DigestAlgorithm | undefined;
  readonly limits: Partial<TarLimits>;
  readonly expansion: Partial<ExpansionLimits>;
}

/** An archive that is no layer, to unpack into a directory. */
export interface UnpackRequest extends Omit<ExtractOptions, "exact"> {
  readonly source: Source;
  /** An existing directory. */
  readonly target: string;
  readonly limits: Partial<TarLimits>;
  readonly expansion: Partial<ExpansionLimits>;
}

/** The size of an archive that was unpacked. */
export interface UnpackResult {
  readonly entries: number;
  /** Bytes of the files, holes included. */
  readonly size: number;
}

/** An unpacked layer. */
export interface ReceiveResult {
  readonly diffId: DiffId;
  /** Bytes of the files. */
  readonly size: number;
  readonly entries: number;
  /** Bytes of the plain tar. */
  readonly tarSize: number;
  /**
   * Directories that no member names ("" is the root), one character a byte; `settleImplied` takes
   * them.
   */
  readonly implied: readonly string[];
}

export interface SettleRequest {
  readonly target: string;
  readonly implied: readonly string[];
  /** Directories of the layers below, uppermost first. */
  readonly lowers: readonly string[];
}

export interface PackRequest extends PackOptions {
  readonly directory: string;
}

/** A directory to pack into a blob. */
export interface PackBlobRequest extends PackRequest {
  /** Where the blob goes; made new. */
  readonly blob: { readonly path: string; readonly compression: CompressionChoice | "none" };
  /** An existing directory that the archive is unpacked into in the same pass, as `receiveLayer` would. */
  readonly target?: string;
}

/** A packed layer; `digest` names the blob as stored, `diffId` its plain tar. */
export interface PackResult {
  readonly diffId: DiffId;
  readonly digest: Digest;
  /** Bytes of the blob. */
  readonly blobSize: number;
  /** Bytes of the files. */
  readonly size: number;
  readonly entries: number;
  /** With `target`: as of `receiveLayer`. */
  readonly implied: readonly string[];
}

export interface ScanRequest extends ScanOptions {
  readonly directory: string;
}

export interface MergeRequest extends MergeOptions {
  /** Directories in overlayfs's form, uppermost first. */
  readonly layers: readonly string[];
  /** An empty directory. */
  readonly target: string;
}

export interface StoreRequest {
  readonly source: Source;
  /** Made new. */
  readonly path: string;
  readonly limit: number;
  /** Default sha256. */
  readonly algorithm?: DigestAlgorithm | undefined;
}

/** The bytes that were written to the file. */
export interface StoreResult {
  readonly digest: Digest;
  readonly size: number;
}

export interface RecompressRequest {
  /** A blob: plain, gzip or zstd. */
  readonly source: { readonly path: string };
  /** Made new. */
  readonly path: string;
  readonly choice: CompressionChoice;
  /** The algorithm of the diff id. Default sha256. */
  readonly diffAlgorithm?: DigestAlgorithm | undefined;
}

export interface RecompressResult extends StoreResult {
  readonly diffId: DiffId;
}

export interface ExplodeRequest {
  readonly source: Source;
  /** The directory for the files of the archive, each named by its number. */
  readonly directory: string;
  readonly limits: Partial<TarLimits>;
  readonly expansion: Partial<ExpansionLimits>;
}

/** One member of an archive whose files became files of their own. */
export interface ExplodedMember {
  /** Cleaned components joined by "/". */
  readonly name: string;
  readonly type: TarType;
  /** As archived, for links. */
  readonly linkName: string;
  /** For files. */
  readonly file?: { readonly path: string; readonly digest: Digest; readonly size: number };
}

/** The jobs of a worker, by name. */
export interface Jobs extends ChunkJobs, SelectionJobs {
  readonly receive: { readonly request: ReceiveRequest; readonly result: ReceiveResult };
  readonly unpack: { readonly request: UnpackRequest; readonly result: UnpackResult };
  readonly settle: { readonly request: SettleRequest; readonly result: undefined };
  /** Its output is the archive, uncompressed. */
  readonly pack: { readonly request: PackRequest; readonly result: undefined };
  readonly packBlob: { readonly request: PackBlobRequest; readonly result: PackResult };
  /** Its output is batches of entries, encoded. */
  readonly scan: { readonly request: ScanRequest; readonly result: undefined };
  readonly merge: { readonly request: MergeRequest; readonly result: MergeResult };
  readonly store: { readonly request: StoreRequest; readonly result: StoreResult };
  readonly recompress: {
    readonly request: RecompressRequest;
    readonly result: RecompressResult;
  };
  readonly explode: {
    readonly request: ExplodeRequest;
    readonly result: readonly ExplodedMember[];
  };
}

export type JobName = keyof Jobs;

/** A job's way to its caller, from inside the worker. */
export interface JobContext {
  /** Ends with the stream that was sent along. */
  readonly input: AsyncIterable<Uint8Array>;
  /** Throws once the job is cancelled; lets messages in from time to time. Call it between chunks. */
  breathe(bytes: number): Promise<void>;
  /** Sends a chunk out, waiting while the receiver is behind. The chunk is gone afterwards. */
  output(chunk: Uint8Array): Promise<void>;
  /** Bytes of the source done so far. */
  progress(bytes: number): void;
}
