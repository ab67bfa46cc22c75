import {
  constants,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { type FileHandle, open, readdir, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { Fault } from "#base";
import {
  type Digest,
  type DigestAlgorithm,
  digestAlgorithm,
  digestAlgorithms,
  digestLike,
  digestPath,
  isDigest,
  maxDocumentBytes,
  requireDigest,
  sha256,
} from "#image";
import { fsyncAsync, makePrivateDirectory, O_DIRECTORY, O_RDONLY, openat2 } from "#kernel";
import { storeStream } from "#layer";

const readChunk = 1 << 20;
const maxBlob = 2 ** 40;

/**
 * Blobs by their digest, each a file ROOT/blobs/<algorithm>/<hex> that never changes. A blob comes
 * into being by a rename after its digest was checked and its bytes were synced: a file with that
 * name has that content.
 */
export class BlobStore {
  readonly #blobs: string;
  readonly #ingest: string;
  readonly #live = new Set<string>();
  /** Whose directories have names that may not be on the disk yet. */
  readonly #used = new Set<DigestAlgorithm>();

  constructor(root: string, { untouched = false }: { readonly untouched?: boolean } = {}) {
    this.#blobs = join(root, "blobs");
    this.#ingest = join(root, "ingest");
    makePrivateDirectory(root);
    for (const each of digestAlgorithms) makePrivateDirectory(this.directory(each));
    // Nothing in it is anybody's at the start: a crash has left it.
    if (!untouched) rmSync(this.#ingest, { recursive: true, force: true });
    makePrivateDirectory(this.#ingest);
  }

  /**
   * Names in the directory where blobs are made: one for each `workspace` in use, and those that a
   * crash left.
   */
  workspaces(): { readonly name: string; readonly isLive: boolean }[] {
    return readdirSync(this.#ingest).map((name) => ({ name, isLive: this.#live.has(name) }));
  }

  removeWorkspace(name: string): void {
    rmSync(join(this.#ingest, name), { recursive: true, force: true });
  }

  /** Where all blobs of an algorithm are, each named by its hexadecimal digits. */
  directory(algorithm: DigestAlgorithm): string {
    return join(this.#blobs, algorithm);
  }

  path(digest: Digest): string {
    return join(this.#blobs, digestPath(digest));
  }

  has(digest: Digest): boolean {
    return statSync(this.path(digest), { throwIfNoEntry: false }) !== undefined;
  }

  size(digest: Digest): number {
    return this.#found(digest, () => statSync(this.path(digest)).size);
  }

  /**
   * A directory on the same file system to make blobs in; `await using` removes it with all files
   * that were not adopted.
   */
  async workspace(): Promise<AsyncDisposable & { readonly path: string }> {
    const path = mkdtempSync(join(this.#ingest, "w-"));
    const name = basename(path);
    this.#live.add(name);
    return {
      path,
      [Symbol.asyncDispose]: async () => {
        await rm(path, { recursive: true, force: true });
        this.#live.delete(name);
      },
    };
  }

  /** Takes a stream in. It must have the digest and size that are given, or it is `data_loss` and gone. */
  async ingest(
    stream: AsyncIterable<Uint8Array>,
    expected: { readonly digest?: Digest | undefined; readonly size?: number | undefined } = {},
  ): Promise<{ readonly digest: Digest; readonly size: number }> {
    await using workspace = await this.workspace();
    const path = join(workspace.path, "blob");
    const stored = await storeStream(stream, {
      path,
      limit: expected.size ?? maxBlob,
      ...(expected.digest && { algorithm: digestAlgorithm(expected.digest) }),
    });
    if (expected.digest) requireDigest("the blob", expected.digest, stored.digest);
    if (expected.size !== undefined && expected.size !== stored.size) {
      throw new Fault(
        "data_loss",
        `the blob has ${stored.size} bytes where ${expected.size} were promised; fetch it again`,
      );
    }
    await this.adopt(path, stored.digest);
    await this.sync();
    return stored;
  }

  /** Moves a whole file whose digest is known into its place, its bytes on the disk before its name. Then `sync`. */
  async adopt(path: string, digest: Digest): Promise<void> {
    this.#used.add(digestAlgorithm(digest));
    if (this.has(digest)) return;
    using file = openat2(undefined, path, { flags: O_RDONLY });
    await fsyncAsync(file);
    renameSync(path, this.path(digest));
  }

  /** Waits until the names of adopted files are on the disk too. */
  async sync(): Promise<void> {
    for (const algorithm of this.#used) {
      const path = this.directory(algorithm);
      using directory = openat2(undefined, path, { flags: O_RDONLY | O_DIRECTORY });
      await fsyncAsync(directory);
    }
  }

  /** A small blob at once, by its sha256 or by another digest that was checked. Then `sync`. */
  async put(bytes: Uint8Array, digest = sha256(bytes)): Promise<Digest> {
    this.#used.add(digestAlgorithm(digest));
    if (this.has(digest)) return digest;
    await using workspace = await this.workspace();
    const path = join(workspace.path, "blob");
    writeFileSync(path, bytes, { mode: 0o600 });
    await this.adopt(path, digest);
    return digest;
  }

  /** A document (manifest, configuration) whole; at most 4 MiB, checked against its digest. */
  readDocument(digest: Digest): Buffer {
    const size = this.size(digest);
    if (size > maxDocumentBytes) {
      throw new Fault("exhausted", `blob ${digest} has ${size} bytes and is not a document`);
    }
    const bytes = this.#found(digest, () => readFileSync(this.path(digest)));
    requireDigest(`blob ${this.path(digest)}`, digest, digestLike(digest, bytes));
    return bytes;
  }

  async open(digest: Digest): Promise<FileHandle> {
    try {
      return await open(this.path(digest), constants.O_RDONLY);
    } catch (error) {
      throw missing(digest, error);
    }
  }

  async *read(digest: Digest, offset = 0): AsyncGenerator<Uint8Array, void> {
    await using file = await this.open(digest);
    for (let at = offset; ; ) {
      const buffer = Buffer.allocUnsafe(readChunk);
      const { bytesRead } = await file.read(buffer, 0, readChunk, at);
      if (bytesRead === 0) return;
      at += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  }

  delete(digest: Digest): void {
    rmSync(this.path(digest), { force: true });
  }

  async list(): Promise<Digest[]> {
    const listed = digestAlgorithms.map(async (algorithm) => {
      const names = await readdir(this.directory(algorithm));
      return names.map((name) => `${algorithm}:${name}`).filter(isDigest);
    });
    return (await Promise.all(listed)).flat();
  }

  #found<T>(digest: Digest, work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw missing(digest, error);
    }
  }
}

function missing(digest: Digest, cause: unknown): Fault {
  return new Fault("not_found", `there is no blob ${digest}`, { about: digest, cause });
}
