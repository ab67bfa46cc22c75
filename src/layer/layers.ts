import { defined } from "#base";
import type { DigestAlgorithm } from "#image";
import type { TarLimits } from "#tar";
import type { ExpansionLimits } from "./compression.ts";
import type {
  ExplodedMember,
  ExplodeRequest,
  MergeRequest,
  PackBlobRequest,
  PackResult,
  ReceiveRequest,
  ReceiveResult,
  RecompressRequest,
  RecompressResult,
  ScanRequest,
  SettleRequest,
  StoreRequest,
  StoreResult,
} from "./job.ts";
import type { MergeResult } from "./merge.ts";
import type { PackOptions } from "./pack.ts";
import { WorkerPool } from "./pool.ts";
import { decodeEntries, type ScannedEntry } from "./scan.ts";
import { streamOutput } from "./stream-output.ts";

/** Of the whole process: more workers than these would only take cores from containers. */
const pool = new WorkerPool(2);

export interface LayerOptions {
  /** Bytes of the source done so far. */
  readonly onProgress?: (bytes: number) => void;
  readonly signal?: AbortSignal;
}

interface GivenStream {
  readonly stream: AsyncIterable<Uint8Array>;
  /** Whether the chunks may be taken away from who gives them; else they are copied. */
  readonly isGiven?: boolean | undefined;
}

export interface ReceiveOptions extends LayerOptions {
  /** A file or a stream: plain, gzip or zstd, told by the first bytes. */
  readonly source: { readonly path: string } | GivenStream;
  /** Keeps the bytes of the source in a new file; another digest or size than these is `data_loss` (more bytes: `exhausted`), and the file is gone. */
  readonly blob?: ReceiveRequest["blob"];
  /** An existing directory, usually empty. */
  readonly target: string;
  /** Directories of the layers below, uppermost first, when they are there: `implied` is then settled already. */
  readonly lowers?: readonly string[];
  /** Of the diff id. Default sha256. */
  readonly diffAlgorithm?: DigestAlgorithm | undefined;
  readonly limits?: Partial<TarLimits>;
  readonly expansion?: Partial<ExpansionLimits>;
}

/**
 * Unpacks one layer into a directory, OCI whiteouts in overlayfs's form, and keeps its
 * blob in the same pass. Nothing outside of the directory is touched, whatever the
 * archive says. It needs no layer below: once those are unpacked, `settleImplied` gives
 * the directories that the layer only implies what they have there. After a Fault what
 * was made so far stays in the directory for its owner to remove. The blob is whole,
 * but not synced to the disk.
 */
export async function receiveLayer(options: ReceiveOptions): Promise<ReceiveResult> {
  const { source, blob, target, lowers = [], limits = {}, expansion = {}, diffAlgorithm } = options;
  const request = { target, lowers, limits, expansion, diffAlgorithm, ...defined({ blob }) };
  if ("path" in source) return await pool.run("receive", { ...request, source }, options);
  const run = { ...options, input: source.stream, isGiven: source.isGiven };
  return await pool.run("receive", { ...request, source: "stream" }, run);
}

/** The second half of `receiveLayer`: `implied` as it gave it, `lowers` uppermost first. */
export async function settleImplied(
  request: SettleRequest,
  options: LayerOptions = {},
): Promise<void> {
  if (request.implied.length === 0 || request.lowers.length === 0) return;
  await pool.run("settle", request, options);
}

export type StreamOptions = Partial<Omit<PackOptions, "mode">> & LayerOptions;

/** A directory tree as an uncompressed archive, the same for the same tree. Leaving the loop early stops it. */
export function packTree(
  directory: string,
  options: StreamOptions = {},
): AsyncGenerator<Uint8Array, void> {
  const request = { ...packOptions(options), mode: "tree", directory } as const;
  return streamOutput(pool, { job: "pack", request }, options);
}

/** What the upper directory of an overlay changes, as an uncompressed OCI layer. */
export function diffLayer(
  upper: string,
  options: StreamOptions = {},
): AsyncGenerator<Uint8Array, void> {
  const request = { ...packOptions(options), mode: "upper", directory: upper } as const;
  return streamOutput(pool, { job: "pack", request }, options);
}

/**
 * Each entry of a tree, in batches: the root first, depth first, names in the order of
 * their bytes. Leaving the loop early stops it. It may stand still between batches
 * without holding up other work.
 */
export async function* scanTree(
  request: ScanRequest,
  options: LayerOptions = {},
): AsyncGenerator<ScannedEntry[], void> {
  for await (const batch of streamOutput(pool, { job: "scan", request }, options)) {
    yield decodeEntries(batch);
  }
}

/**
 * Makes one layer of several in an empty directory. What is not a directory becomes a
 * hard link to what the layers have, so nobody may write to it; copies only where
 * links are not possible. After a Fault what was made so far stays.
 */
export async function mergeLayers(
  request: MergeRequest,
  options: LayerOptions = {},
): Promise<MergeResult> {
  return await pool.run("merge", request, options);
}

/** Packs a directory into a new blob file, hashing it plain and compressed, and unpacking it again, in the same pass. */
export async function packBlob(
  request: PackBlobRequest,
  options: LayerOptions = {},
): Promise<PackResult> {
  return await pool.run("packBlob", request, options);
}

/** Compresses what a blob holds another way, into a new file; not synced. Its diff id comes with it, to be checked. */
export async function recompressBlob(
  request: RecompressRequest,
  options: LayerOptions = {},
): Promise<RecompressResult> {
  return await pool.run("recompress", request, options);
}

/** Writes a stream to a new file at `path`, at most `limit` bytes. It is whole, but not synced to the disk. */
export async function storeStream(
  stream: AsyncIterable<Uint8Array>,
  request: Omit<StoreRequest, "source">,
  options: LayerOptions & Pick<GivenStream, "isGiven"> = {},
): Promise<StoreResult> {
  return await pool.run("store", { ...request, source: "stream" }, { ...options, input: stream });
}

/** Puts each file of an archive (plain, gzip, zstd) into a file of its own in `directory`, hashed; not synced. */
export async function explodeArchive(
  stream: AsyncIterable<Uint8Array>,
  request: Omit<ExplodeRequest, "source">,
  options: LayerOptions = {},
): Promise<readonly ExplodedMember[]> {
  return await pool.run("explode", { ...request, source: "stream" }, { ...options, input: stream });
}

/** What of the options goes to the worker. */
function packOptions(options: StreamOptions): Omit<PackOptions, "mode"> {
  const { onProgress: _progress, signal: _signal, includeRoot = false, ...rest } = options;
  return { ...rest, includeRoot };
}
