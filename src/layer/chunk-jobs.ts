import {
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  readSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { Fault } from "#base";
import {
  createKey,
  decodeSegment,
  type NewBlob,
  openKey,
  PackUses,
  StreamReader,
  StreamWriter,
  unseal,
} from "#chunk";
import { type Digest, digestHex, requireDigest, sha256 } from "#image";
import { type Fd, O_DIRECTORY, O_PATH, openat2 } from "#kernel";
import { TarReader } from "#tar";
import { BlobFile } from "./blob-file.ts";
import type {
  ChunkJobs,
  ChunkMessage,
  ChunkRequest,
  KeepRequest,
  UnchunkRequest,
} from "./chunk-job.ts";
import { TreeExtractor } from "./extract.ts";
import type { JobContext } from "./job.ts";
import { TreePacker } from "./pack.ts";

function openDirectory(path: string): Fd {
  return openat2(undefined, path, { flags: O_PATH | O_DIRECTORY });
}

async function chunk(request: ChunkRequest, context: JobContext): Promise<undefined> {
  const writer = new StreamWriter(request);
  await know(writer, request, context);
  const send = (message: ChunkMessage) => context.output(Buffer.from(JSON.stringify(message)));
  const spool = async ({ kind, ref, parts, ...rest }: NewBlob) => {
    const path = join(request.spool, digestHex(ref.digest));
    writeParts(path, parts);
    if ("contents" in rest) writeFileSync(`${path}.contents`, rest.contents, { mode: 0o600 });
    await send({ kind, ...ref, path });
    // Frames lie outside of the collector's heap: without this, hundreds of MB would wait for it.
    Bun.gc(true);
  };
  using root = openDirectory(request.directory);
  using packer = new TreePacker(root, { mode: "tree", includeRoot: true, exact: true });
  let done = 0;
  for (const bytes of packer.chunks()) {
    await context.breathe(bytes.length);
    for await (const blob of writer.add(bytes)) await spool(blob);
    done += bytes.length;
    context.progress(done);
  }
  const rest = writer.finish();
  for (;;) {
    const next = await rest.next();
    if (next.done) {
      await send({ kind: "written", written: next.value });
      return;
    }
    await spool(next.value);
  }
}

function writeParts(path: string, parts: readonly Uint8Array[]): void {
  const fd = openSync(path, "w", 0o600);
  try {
    for (const part of parts)
      for (let done = 0; done < part.length; ) done += writeSync(fd, part, done);
  } finally {
    closeSync(fd);
  }
}

/** Tells the writer what is stored, but for packs of the last backup that are better given up. */
async function know(
  writer: StreamWriter,
  { known, packs, packBytes }: ChunkRequest,
  context: JobContext,
): Promise<void> {
  const uses = new PackUses();
  for (const { path, stored } of known) {
    await context.breathe(1 << 20);
    if (stored) uses.add(decodeSegment(readFileSync(path)));
  }
  const there = new Set(packs);
  const worthwhile = uses.worthwhile(packBytes);
  for (const { path, stored } of known) {
    await context.breathe(1 << 20);
    const isUsable = (pack: Digest) => there.has(pack) && (!stored || worthwhile.has(pack));
    writer.know(decodeSegment(readFileSync(path)), isUsable, stored);
  }
}

async function unchunk(request: UnchunkRequest, context: JobContext): Promise<{ entries: number }> {
  using root = openDirectory(request.target);
  using extractor = new TreeExtractor(root, { exact: true });
  using files = new PackFiles(request.packs);
  const tar = new TarReader(extractor, { entries: Infinity, totalBytes: Infinity });
  const reader = new StreamReader((pack, range) => files.read(pack, range), request.key);
  let done = 0;
  for (const path of request.segments) {
    for (const bytes of reader.bytes(decodeSegment(readFileSync(path)))) {
      done += bytes.length;
      // Before more is written than was promised.
      if (done > request.size) throw otherSize(request.size);
      tar.push(bytes);
      await context.breathe(bytes.length);
    }
    context.progress(done);
  }
  if (done !== request.size) throw otherSize(request.size);
  tar.finish();
  extractor.finish();
  return { entries: tar.entries };
}

function otherSize(size: number): Fault {
  return new Fault("data_loss", `the backup is damaged: its archive does not have ${size} bytes`);
}

const openFiles = 64;

/** The files of packs; the last few that were read stay open. */
class PackFiles implements Disposable {
  readonly #directory: string;
  /** Least recently used first. */
  readonly #open = new Map<Digest, number>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  read(pack: Digest, { offset, length }: { offset: number; length: number }): Uint8Array {
    const bytes = Buffer.allocUnsafe(length);
    let filled = 0;
    for (let got = -1; filled < length && got !== 0; filled += got)
      got = readSync(this.#descriptor(pack), bytes, filled, length - filled, offset + filled);
    return bytes.subarray(0, filled);
  }

  #descriptor(pack: Digest): number {
    const held = this.#open.get(pack);
    const fd = held ?? this.#openFile(pack);
    this.#open.delete(pack);
    this.#open.set(pack, fd);
    const [oldest] = this.#open;
    if (this.#open.size > openFiles && oldest) {
      this.#open.delete(oldest[0]);
      closeSync(oldest[1]);
    }
    return fd;
  }

  #openFile(pack: Digest): number {
    const path = join(this.#directory, digestHex(pack));
    if (existsSync(path)) return openSync(path, "r");
    throw new Fault("data_loss", `the backup is damaged: it does not list ${pack}`);
  }

  [Symbol.dispose](): void {
    for (const fd of this.#open.values()) closeSync(fd);
  }
}

async function keep(request: KeepRequest, context: JobContext): Promise<undefined> {
  const { path, digest, size, key } = request;
  if (!key) {
    using file = new BlobFile(path);
    for await (const bytes of context.input) file.write(within(bytes, size - file.size));
    file.finish({ digest, size });
    return;
  }
  // An age file is told to be whole by its end alone, and a pack is small.
  const sealed = Buffer.allocUnsafe(size);
  let filled = 0;
  for await (const bytes of context.input) {
    sealed.set(within(bytes, size - filled), filled);
    filled += bytes.length;
  }
  requireDigest("the blob", digest, sha256(sealed.subarray(0, filled)));
  writeFileSync(path, await unseal(sealed, key), { mode: 0o600, flag: "wx" });
}

function within(bytes: Uint8Array, room: number): Uint8Array {
  if (bytes.length <= room) return bytes;
  throw new Fault("exhausted", "the blob is longer than was promised");
}

type Work<N extends keyof ChunkJobs> = (
  request: ChunkJobs[N]["request"],
  context: JobContext,
) => Promise<ChunkJobs[N]["result"]>;

/** Backups of directories, in chunks. */
export const chunkJobs: { readonly [N in keyof ChunkJobs]: Work<N> } = {
  chunk,
  unchunk,
  keep,
  createKey,
  openKey: ({ file, opener }) => openKey(file, opener),
};
