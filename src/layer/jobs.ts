import { createHash, type Hash } from "node:crypto";
import { closeSync, constants, openSync, readSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "#base";
import type { DiffId, Digest } from "#image";
import { type Fd, O_DIRECTORY, O_PATH, openat2 } from "#kernel";
import { nameComponents, TarReader } from "#tar";
import { chunkSize, compress, decompress, detectCompression } from "./compression.ts";
import { TreeExtractor } from "./extract.ts";
import type {
  ApplyRequest,
  ApplyResult,
  ExplodedMember,
  ExplodeRequest,
  JobContext,
  JobName,
  Jobs,
  PackRequest,
  PackResult,
  Source,
  StoreRequest,
  StoreResult,
} from "./job.ts";
import { TreePacker } from "./pack.ts";

/** A file that takes bytes in order and knows their digest; without `finish` it is removed again. */
class BlobFile implements Disposable {
  readonly path: string;
  readonly #fd: number;
  readonly #hash = createHash("sha256");
  #size = 0;
  #finished = false;

  constructor(path: string) {
    const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;
    this.path = path;
    this.#fd = openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o644);
  }

  get size(): number {
    return this.#size;
  }

  write(bytes: Uint8Array): void {
    this.#hash.update(bytes);
    for (let done = 0; done < bytes.byteLength; ) {
      done += writeSync(this.#fd, bytes, done, bytes.byteLength - done);
    }
    this.#size += bytes.byteLength;
  }

  finish(): StoreResult {
    this.#finished = true;
    return { digest: digestOf(this.#hash), size: this.#size };
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
    if (!this.#finished) rmSync(this.path, { force: true });
  }
}

function digestOf(hash: Hash): Digest {
  return `sha256:${hash.digest("hex")}` as Digest;
}

async function* readSource(source: Source, context: JobContext): AsyncGenerator<Uint8Array, void> {
  let done = 0;
  for await (const chunk of source === "stream" ? context.input : readFile(source.path)) {
    await context.breathe(chunk.byteLength);
    yield chunk;
    done += chunk.byteLength;
    context.progress(done);
  }
}

function* readFile(path: string): Generator<Uint8Array, void> {
  const fd = openSync(path, constants.O_RDONLY);
  try {
    let chunk = Buffer.allocUnsafe(chunkSize);
    let isPlain: boolean | undefined;
    for (;;) {
      const size = readSync(fd, chunk, 0, chunk.length, null);
      if (size === 0) return;
      isPlain ??= detectCompression(chunk.subarray(0, size)) === "none";
      yield chunk.subarray(0, size);
      // Plain bytes are used up by now; a decompressor still holds what it was given.
      if (!isPlain) chunk = Buffer.allocUnsafe(chunkSize);
    }
  } finally {
    closeSync(fd);
  }
}

function openDirectory(path: string): Fd {
  return openat2(undefined, path, { flags: O_PATH | O_DIRECTORY });
}

async function apply(request: ApplyRequest, context: JobContext): Promise<ApplyResult> {
  using resources = new DisposableStack();
  const root = resources.use(openDirectory(request.target));
  const lowers = request.lowers.map((path) => resources.use(openDirectory(path)));
  const extractor = resources.use(new TreeExtractor({ root, lowers }));
  const reader = new TarReader(extractor, request.limits);
  const hash = createHash("sha256");
  let tarSize = 0;
  for await (const chunk of decompress(readSource(request.source, context), request.expansion)) {
    hash.update(chunk);
    reader.push(chunk);
    tarSize += chunk.byteLength;
  }
  reader.finish();
  extractor.finish();
  return {
    diffId: digestOf(hash) as DiffId,
    size: reader.totalBytes,
    entries: reader.entries,
    tarSize,
  };
}

async function pack(request: PackRequest, context: JobContext): Promise<PackResult> {
  using root = openDirectory(request.directory);
  using packer = new TreePacker(root, request);
  const hash = createHash("sha256");
  let done = 0;
  const plain = async function* (): AsyncGenerator<Uint8Array, void> {
    for (const chunk of packer.chunks()) {
      await context.breathe(chunk.byteLength);
      hash.update(chunk);
      done += chunk.byteLength;
      yield chunk;
      context.progress(done);
    }
  };
  if (!request.blob) {
    for await (const chunk of plain()) await context.output(chunk);
    const diffId = digestOf(hash) as DiffId;
    return { ...packer.totals, diffId, digest: diffId, blobSize: done };
  }
  using blob = new BlobFile(request.blob.path);
  for await (const chunk of compress(plain(), request.blob.compression)) blob.write(chunk);
  const { digest, size } = blob.finish();
  return { ...packer.totals, diffId: digestOf(hash) as DiffId, digest, blobSize: size };
}

async function store(request: StoreRequest, context: JobContext): Promise<StoreResult> {
  using blob = new BlobFile(request.path);
  for await (const chunk of readSource(request.source, context)) {
    if (blob.size + chunk.byteLength > request.limit) {
      throw new Fault("exhausted", `the blob is larger than the ${request.limit} bytes expected`);
    }
    blob.write(chunk);
  }
  return blob.finish();
}

async function explode(
  request: ExplodeRequest,
  context: JobContext,
): Promise<readonly ExplodedMember[]> {
  using current = new DisposableStack();
  const members: ExplodedMember[] = [];
  let blob: BlobFile | undefined;
  const reader = new TarReader(
    {
      entry: (header) => {
        const name = nameComponents(header.name).join("/");
        members.push({ name, type: header.type, linkName: header.linkName });
        if (header.type !== "file") return;
        blob = new BlobFile(join(request.directory, String(members.length)));
      },
      data: (bytes, offset) => {
        if (!blob) return;
        if (offset > blob.size) throw new Fault("unsupported", "the archive holds sparse files");
        blob.write(bytes);
      },
      end: () => {
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
  for await (const chunk of decompress(readSource(request.source, context), request.expansion)) {
    reader.push(chunk);
  }
  reader.finish();
  return members;
}

type Work<N extends JobName> = (
  request: Jobs[N]["request"],
  context: JobContext,
) => Promise<Jobs[N]["result"]>;

export const jobs: { readonly [N in JobName]: Work<N> } = { apply, pack, store, explode };
