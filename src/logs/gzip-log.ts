import type { FileHandle } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { createGunzip, createGzip } from "node:zlib";

const chunkSize = 64 * 1024;

/** Which plain file a compressed one was made of, as it was when it was rotated: by these three it is told from any other. */
export interface LogOrigin {
  readonly inode: bigint;
  /** Bytes. */
  readonly size: bigint;
  /** The time of the last write, in nanoseconds since the epoch. */
  readonly mtime: bigint;
}

/** The header that zlib writes has no optional fields: RFC 1952, section 2.3. */
const zlibHeader = 10;
/** An "extra field" of one subfield ("tl") with the origin's three numbers. */
const subfield = "tl";
const originBytes = 24;
const headerBytes = zlibHeader + 2 + 4 + originBytes;

function encodeHeader({ inode, size, mtime }: LogOrigin): Buffer {
  const header = Buffer.alloc(headerBytes);
  // Magic, deflate, FEXTRA; no time, no flags of deflate, Unix.
  header.set([0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 3]);
  header.writeUInt16LE(4 + originBytes, zlibHeader);
  header.write(subfield, zlibHeader + 2, "latin1");
  header.writeUInt16LE(originBytes, zlibHeader + 4);
  for (const [index, value] of [inode, size, mtime].entries()) {
    header.writeBigUInt64LE(value, zlibHeader + 6 + index * 8);
  }
  return header;
}

/** The origin that a compressed file names; undefined for a file that another program has made. */
export async function readOrigin(file: FileHandle): Promise<LogOrigin | undefined> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(headerBytes), 0, headerBytes, 0);
  const start = zlibHeader + 6;
  const isOurs =
    bytesRead === headerBytes &&
    buffer.readUInt16BE(0) === 0x1f8b &&
    buffer[3] === 4 &&
    buffer.toString("latin1", zlibHeader + 2, zlibHeader + 4) === subfield &&
    buffer.readUInt16LE(zlibHeader + 4) === originBytes;
  if (!isOurs) return undefined;
  return {
    inode: buffer.readBigUInt64LE(start),
    size: buffer.readBigUInt64LE(start + 8),
    mtime: buffer.readBigUInt64LE(start + 16),
  };
}

/** Writes a plain file into an empty one as gzip, as Docker compresses rotated logs, to the disk. */
export async function gzipLog(
  from: FileHandle,
  to: FileHandle,
  { origin, signal }: { readonly origin: LogOrigin; readonly signal: AbortSignal },
): Promise<void> {
  await to.write(encodeHeader(origin));
  let dropped = 0;
  const write = async (chunks: AsyncIterable<Buffer>) => {
    for await (const chunk of chunks) {
      const cut = Math.min(zlibHeader - dropped, chunk.byteLength);
      dropped += cut;
      for (let rest = chunk.subarray(cut); rest.byteLength > 0; ) {
        const { bytesWritten } = await to.write(rest);
        rest = rest.subarray(bytesWritten);
      }
    }
  };
  await pipeline(fileChunks(from), createGzip({ chunkSize }), write, { signal });
  await to.sync();
}

/** The plain bytes of a compressed file. Damage ends them, as a crash ends a plain file. */
export async function* gunzipLog(file: FileHandle): AsyncGenerator<Uint8Array> {
  const gunzip = createGunzip({ chunkSize });
  const feeding = pipeline(fileChunks(file), gunzip).catch(() => undefined);
  try {
    for await (const chunk of gunzip) yield chunk;
  } catch (error) {
    if (!/^Z_|^ERR_|^ABORT/.test((error as NodeJS.ErrnoException).code ?? "")) throw error;
  } finally {
    gunzip.destroy();
    await feeding;
  }
}

/** Each in memory of its own: a stream may hold several. */
async function* fileChunks(file: FileHandle): AsyncGenerator<Buffer> {
  for (let at = 0; ; ) {
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(chunkSize), 0, chunkSize, at);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}
