import { join } from "node:path";
import { Fault } from "#base";
import { type DiffId, type Digest, type DigestAlgorithm, Digester, digestAlgorithm } from "#image";
import { type Fd, O_DIRECTORY, O_PATH, openat2 } from "#kernel";
import { nameComponents, noTarLimits, TarReader } from "#tar";
import { BlobFile } from "./blob-file.ts";
import { chunkJobs } from "./chunk-jobs.ts";
import { compress } from "./compress.ts";
import { decompress, noExpansionLimits } from "./compression.ts";
import { TreeExtractor } from "./extract.ts";
import type {
  ExplodedMember,
  ExplodeRequest,
  JobContext,
  JobName,
  Jobs,
  MergeRequest,
  PackBlobRequest,
  PackRequest,
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
import { LayerMerger, type MergeResult } from "./merge.ts";
import { TreePacker } from "./pack.ts";
import { readSource } from "./read-source.ts";
import { encodeEntries, type ScannedEntry, TreeScanner } from "./scan.ts";
import { selectionJobs } from "./selection-jobs.ts";
import { settle } from "./settle.ts";

/** Entries per message, and what one counts for beside bytes: both some tens of microseconds of work. */
const scanBatch = 512;
const breathPerEntry = 16 << 10;

/**
 * The limit for all sparse files in an archive of images: hashing as many zeros takes half a
 * second.
 */
const maxHoles = 2 ** 30;

/** The place of a blob in an OCI layout tells by which algorithm it is named. */
const layoutBlob = /(?:^|\/)blobs\/(sha256|sha512)\/[^/]+$/;

function openDirectory(path: string): Fd {
  return openat2(undefined, path, { flags: O_PATH | O_DIRECTORY });
}

async function receive(request: ReceiveRequest, context: JobContext): Promise<ReceiveResult> {
  using resources = new DisposableStack();
  const root = resources.use(openDirectory(request.target));
  const extractor = resources.use(new TreeExtractor(root));
  const blob = request.blob && resources.use(blobFile(request.blob));
  const source = readSource(request.source, context, { reuse: true });
  const reader = new TarReader(extractor, request.limits);
  const hash = new Digester(request.diffAlgorithm);
  let tarSize = 0;
  const bytes = blob ? kept(source, blob, request.blob.size) : source;
  for await (const chunk of decompress(bytes, request.expansion)) {
    hash.update(chunk);
    reader.push(chunk);
    tarSize += chunk.byteLength;
  }
  reader.finish();
  extractor.finish();
  blob?.finish(request.blob);
  const { implied } = extractor;
  settle(root, implied, openAll(resources, request.lowers));
  const diffId = hash.digest() as DiffId;
  return { diffId, size: reader.totalBytes, entries: reader.entries, tarSize, implied };
}

async function unpack(request: UnpackRequest, context: JobContext): Promise<UnpackResult> {
  using root = openDirectory(request.target);
  using extractor = new TreeExtractor(root, { ...request, exact: true });
  const reader = new TarReader(extractor, request.limits);
  const source = readSource(request.source, context, { reuse: true });
  for await (const chunk of decompress(source, request.expansion)) reader.push(chunk);
  reader.finish();
  extractor.finish();
  return { entries: reader.entries, size: reader.totalBytes };
}

function blobFile({ path, digest }: { readonly path: string; readonly digest: Digest }): BlobFile {
  return new BlobFile(path, digestAlgorithm(digest));
}

/** Passes the bytes on and writes them to the blob; more than `limit` bytes are refused at once. */
async function* kept(
  source: AsyncIterable<Uint8Array>,
  blob: BlobFile,
  limit: number,
): AsyncGenerator<Uint8Array, void> {
  for await (const chunk of source) {
    writeWithin(blob, chunk, limit);
    yield chunk;
  }
}

function writeWithin(blob: BlobFile, chunk: Uint8Array, limit: number): void {
  if (blob.size + chunk.byteLength > limit) {
    throw new Fault("exhausted", `the blob is larger than the ${limit} bytes expected`);
  }
  blob.write(chunk);
}

function openAll(resources: DisposableStack, paths: readonly string[]): Fd[] {
  return paths.map((path) => resources.use(openDirectory(path)));
}

async function settleJob(request: SettleRequest): Promise<undefined> {
  using resources = new DisposableStack();
  const target = resources.use(openDirectory(request.target));
  settle(target, request.implied, openAll(resources, request.lowers));
}

async function pack(request: PackRequest, context: JobContext): Promise<undefined> {
  using root = openat2(undefined, request.directory, { flags: O_PATH });
  using packer = new TreePacker(root, request);
  for await (const chunk of told(packer, context)) await context.output(chunk);
}

async function packBlob(request: PackBlobRequest, context: JobContext): Promise<PackResult> {
  using resources = new DisposableStack();
  const root = resources.use(openDirectory(request.directory));
  const packer = resources.use(new TreePacker(root, request, true));
  const { target } = request;
  const extractor =
    target === undefined
      ? undefined
      : resources.use(new TreeExtractor(resources.use(openDirectory(target))));
  const reader = extractor && new TarReader(extractor, noTarLimits);
  const hash = new Digester();
  const plain = async function* (): AsyncGenerator<Uint8Array, void> {
    for await (const chunk of told(packer, context)) {
      hash.update(chunk);
      reader?.push(chunk);
      yield chunk;
    }
  };
  using blob = new BlobFile(request.blob.path);
  for await (const chunk of compress(plain(), request.blob.compression)) blob.write(chunk);
  reader?.finish();
  extractor?.finish();
  const { digest, size } = blob.finish();
  const implied = extractor?.implied ?? [];
  return { ...packer.totals, diffId: hash.digest() as DiffId, digest, blobSize: size, implied };
}

/** The packed bytes; the job's caller is told of the progress meanwhile. */
async function* told(packer: TreePacker, context: JobContext): AsyncGenerator<Uint8Array, void> {
  let done = 0;
  for (const chunk of packer.chunks()) {
    await context.breathe(chunk.byteLength);
    done += chunk.byteLength;
    yield chunk;
    context.progress(done);
  }
}

async function scan(request: ScanRequest, context: JobContext): Promise<undefined> {
  using root = openDirectory(request.directory);
  using scanner = new TreeScanner(root, request);
  let batch: ScannedEntry[] = [];
  for (const found of scanner.entries()) {
    await context.breathe(typeof found === "number" ? found : breathPerEntry);
    if (typeof found === "number") continue;
    batch.push(found);
    if (batch.length < scanBatch) continue;
    await context.output(encodeEntries(batch));
    batch = [];
  }
  if (batch.length > 0) await context.output(encodeEntries(batch));
}

async function merge(request: MergeRequest, context: JobContext): Promise<MergeResult> {
  using resources = new DisposableStack();
  const layers = openAll(resources, request.layers);
  const target = resources.use(openDirectory(request.target));
  const merger = resources.use(new LayerMerger(layers, target, request));
  const steps = merger.steps();
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    await context.breathe(step.value || breathPerEntry);
  }
}

async function store(request: StoreRequest, context: JobContext): Promise<StoreResult> {
  using blob = new BlobFile(request.path, request.algorithm);
  for await (const chunk of readSource(request.source, context, { reuse: true })) {
    writeWithin(blob, chunk, request.limit);
  }
  return blob.finish();
}

async function recompress(
  request: RecompressRequest,
  context: JobContext,
): Promise<RecompressResult> {
  using blob = new BlobFile(request.path);
  const hash = new Digester(request.diffAlgorithm);
  const plain = async function* (): AsyncGenerator<Uint8Array, void> {
    for await (const chunk of decompress(readSource(request.source, context), noExpansionLimits)) {
      hash.update(chunk);
      yield chunk;
    }
  };
  for await (const chunk of compress(plain(), request.choice)) blob.write(chunk);
  return { ...blob.finish(), diffId: hash.digest() as DiffId };
}

async function explode(
  request: ExplodeRequest,
  context: JobContext,
): Promise<readonly ExplodedMember[]> {
  using current = new DisposableStack();
  const members: ExplodedMember[] = [];
  let blob: BlobFile | undefined;
  let size = 0;
  let holes = 0;
  const skipTo = (place: number) => {
    if (!blob || place <= blob.size) return;
    holes += place - blob.size;
    if (holes > maxHoles) {
      throw new Fault(
        "exhausted",
        `the archive's sparse files have more than ${maxHoles} bytes of holes`,
      );
    }
    blob.skipTo(place);
  };
  const reader = new TarReader(
    {
      entry: (header) => {
        const name = nameComponents(header.name).join("/");
        members.push({ name, type: header.type, linkName: header.linkName });
        size = header.size;
        if (header.type !== "file") return;
        const path = join(request.directory, String(members.length));
        blob = new BlobFile(path, layoutBlob.exec(name)?.[1] as DigestAlgorithm | undefined);
      },
      data: (bytes, offset) => {
        skipTo(offset);
        blob?.write(bytes);
      },
      end: () => {
        skipTo(size);
        const member = members.at(-1);
        if (!blob || !member) return;
        using file = blob;
        blob = undefined;
        members[members.length - 1] = { ...member, file: { path: file.path, ...file.finish() } };
      },
    },
    request.limits,
  );
  current.defer(() => blob?.[Symbol.dispose]());
  const source = readSource(request.source, context, { reuse: true });
  for await (const chunk of decompress(source, request.expansion)) {
    reader.push(chunk);
  }
  reader.finish();
  return members;
}

type Work<N extends JobName> = (
  request: Jobs[N]["request"],
  context: JobContext,
) => Promise<Jobs[N]["result"]>;

export const jobs: { readonly [N in JobName]: Work<N> } = {
  receive,
  unpack,
  settle: settleJob,
  pack,
  packBlob,
  scan,
  merge,
  store,
  recompress,
  explode,
  ...chunkJobs,
  ...selectionJobs,
};
