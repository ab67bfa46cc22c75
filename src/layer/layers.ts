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
  UnpackRequest,
  UnpackResult,
} from "./job.ts";
import type { MergeResult } from "./merge.ts";
import type { PackOptions } from "./pack.ts";
import { WorkerPool } from "./pool.ts";
import { decodeEntries, type ScannedEntry } from "./scan.ts";
import type {
  CopyFilesRequest,
  CopyFilesResult,
  DigestFilesRequest,
  DigestFilesResult,
  MatchTreeRequest,
  MatchTreeResult,
} from "./selection-job.ts";
import { streamOutput } from "./stream-output.ts";

/** For the whole process: more workers than these would only take cores from containers. */
export const pool = new WorkerPool(2);

/**
 * The options of every job. A job whose signal fires is `canceled`; its files stay for their owner
 * to remove.
 */
export interface LayerOptions {
  /** Told how many bytes of the source are done so far. */
  readonly onProgress?: (bytes: number) => void;
  readonly signal?: AbortSignal;
}

interface GivenStream {
  readonly stream: AsyncIterable<Uint8Array>;
  /** Whether the chunks may be taken away from their sender (transferred); otherwise they are copied. */
  readonly isGiven?: boolean | undefined;
}

/** A layer to unpack. */
export interface ReceiveOptions extends LayerOptions {
  /** A file or a stream: plain, gzip or zstd, told by the first bytes. */
  readonly source: { readonly path: string } | GivenStream;
  /**
   * Keeps the bytes of the source in a new file. Another digest or fewer bytes are `data_loss`, more
   * bytes `exhausted`; the file is then removed.
   */
  readonly blob?: ReceiveRequest["blob"];
  /** An existing directory, usually empty. */
  readonly target: string;
  /** Directories of the layers below, uppermost first, if they are unpacked: `implied` is then settled already. */
  readonly lowers?: readonly string[];
  /** The algorithm of the diff id. Default sha256. */
  readonly diffAlgorithm?: DigestAlgorithm | undefined;
  readonly limits?: Partial<TarLimits>;
  readonly expansion?: Partial<ExpansionLimits>;
}

/**
 * Unpacks one layer into a directory, OCI whiteouts in overlayfs's form, and keeps its blob in the
 * same pass. Whatever the archive says, nothing outside of the directory is touched. The layers
 * below are not needed: once they are unpacked, `settleImplied` gives the directories that this
 * layer only implies the attributes that they have there. After a Fault the files made so far stay
 * in the directory, for its owner to remove. The blob is whole, but not synced to the disk.
 */
export async function receiveLayer(options: ReceiveOptions): Promise<ReceiveResult> {
  const { source, blob, target, lowers = [], limits = {}, expansion = {}, diffAlgorithm } = options;
  const request = { target, lowers, limits, expansion, diffAlgorithm, ...defined({ blob }) };
  if ("path" in source) return await pool.run("receive", { ...request, source }, options);
  const run = { ...options, input: source.stream, isGiven: source.isGiven };
  return await pool.run("receive", { ...request, source: "stream" }, run);
}

/**
 * Unpacks an archive (plain, gzip, zstd or xz) that is no layer into a directory, as it is: owners,
 * modes, times, extended attributes, links, devices, holes; a name that begins with ".wh." is a
 * name. Whatever the archive says and others do to the tree, nothing outside of the directory is
 * touched. Its size has no limit beside the disk's, but a compressed one that expands like a bomb is
 * `exhausted`. After a Fault the files made so far stay in the directory.
 */
export async function unpackTree(
  { stream, isGiven }: GivenStream,
  target: string,
  options: LayerOptions & Pick<UnpackRequest, "keepsRoot" | "keepsKinds" | "owner"> = {},
): Promise<UnpackResult> {
  const { keepsRoot = false, keepsKinds = false, owner } = options;
  const limits = { entries: Infinity, totalBytes: Infinity };
  const rules = { keepsRoot, keepsKinds, owner };
  const expansion = { bytes: Infinity };
  const request = { source: "stream", target, limits, expansion, ...rules } as const;
  return await pool.run("unpack", request, { ...options, input: stream, isGiven });
}

/**
 * The second half of `receiveLayer`: gives the directories in `implied` the modes, owners and times
 * that they have in the layers below (`lowers`, uppermost first).
 */
export async function settleImplied(
  request: SettleRequest,
  options: LayerOptions = {},
): Promise<void> {
  if (request.implied.length === 0 || request.lowers.length === 0) return;
  await pool.run("settle", request, options);
}

export type StreamOptions = Partial<Omit<PackOptions, "mode">> & LayerOptions;

/**
 * A directory tree, or another file, as an uncompressed archive: equal trees give equal bytes. Leaving the loop early
 * stops it.
 */
export function packTree(
  directory: string,
  options: StreamOptions = {},
): AsyncGenerator<Uint8Array, void> {
  const request = { ...packOptions(options), mode: "tree", directory } as const;
  return streamOutput(pool, { job: "pack", request }, options);
}

/** The changes in the upper directory of an overlay, as an uncompressed OCI layer. */
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
 * Makes one layer of several in an empty directory. Everything except directories becomes a hard
 * link to the file in its layer, so it must never be written to; where a link is not possible it is
 * a copy. After a Fault the part that was made stays.
 */
export async function mergeLayers(
  request: MergeRequest,
  options: LayerOptions = {},
): Promise<MergeResult> {
  return await pool.run("merge", request, options);
}

/**
 * Packs a directory into a new blob file; in the same pass it hashes it plain and compressed, and
 * with `target` unpacks it again. The files are not synced to the disk.
 */
export async function packBlob(
  request: PackBlobRequest,
  options: LayerOptions = {},
): Promise<PackResult> {
  return await pool.run("packBlob", request, options);
}

/**
 * Stores the content of a blob in another compression, in a new file that is not synced. The diff
 * id comes with it, to be checked by the caller.
 */
export async function recompressBlob(
  request: RecompressRequest,
  options: LayerOptions = {},
): Promise<RecompressResult> {
  return await pool.run("recompress", request, options);
}

/**
 * Writes a stream to a new file at `path`, which must not exist; not synced to the disk.
 * `exhausted` above `limit` bytes.
 */
export async function storeStream(
  stream: AsyncIterable<Uint8Array>,
  request: Omit<StoreRequest, "source">,
  options: LayerOptions & Pick<GivenStream, "isGiven"> = {},
): Promise<StoreResult> {
  return await pool.run("store", { ...request, source: "stream" }, { ...options, input: stream });
}

/**
 * Puts each file of an archive (plain, gzip, zstd or xz) into a file of its own in `directory`,
 * hashed and not synced.
 */
export async function explodeArchive(
  stream: AsyncIterable<Uint8Array>,
  request: Omit<ExplodeRequest, "source">,
  options: LayerOptions = {},
): Promise<readonly ExplodedMember[]> {
  return await pool.run("explode", { ...request, source: "stream" }, { ...options, input: stream });
}

/**
 * Copies files into a tree with BuildKit's rules for COPY and ADD: see `TreeCopier`. Nothing outside
 * of the trees is read or written, whatever links say. `not_found` with the path for a source that is
 * missing. After a Fault what was copied before stays.
 */
export async function copyFiles(
  request: CopyFilesRequest,
  options: LayerOptions = {},
): Promise<CopyFilesResult> {
  return await pool.run("copyFiles", request, options);
}

/**
 * The digest of the files that selections find: of names, types, modes, owners, targets of links,
 * content and extended attributes, never of times. `not_found` as `copyFiles`.
 */
export async function digestFiles(
  request: DigestFilesRequest,
  options: LayerOptions = {},
): Promise<DigestFilesResult> {
  return await pool.run("digestFiles", request, options);
}

/**
 * Makes a directory equal to a client's list of its files (JSON lines of `ListedEntry`), but for the
 * content of those that are not there with the same size and time: these are wanted. Names that are
 * not listed go. `invalid` for a list that no honest client sends.
 */
export async function matchTree(
  list: AsyncIterable<Uint8Array>,
  request: MatchTreeRequest,
  options: LayerOptions = {},
): Promise<MatchTreeResult> {
  return await pool.run("matchTree", request, { ...options, input: list });
}

/** The options that the worker needs. */
function packOptions(options: StreamOptions): Omit<PackOptions, "mode"> {
  const { onProgress: _progress, signal: _signal, includeRoot = false, ...rest } = options;
  return { ...rest, includeRoot };
}
