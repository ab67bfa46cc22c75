import { createReadStream, createWriteStream, rmSync } from "node:fs";
import { access, mkdir, open, readdir, readFile, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { Fault, isFault, newId } from "#base";
import type { BlobRef } from "#chunk";
import {
  type Digest,
  digestHex,
  digestPath,
  encodeDocument,
  maxDocumentBytes,
  mediaTypes,
  parseDigest,
  parseJson,
  sha256,
} from "#image";
import { type Fd, lockFile } from "#kernel";
import type { BackupStore } from "./backup-store.ts";
import { artifactType } from "./document.ts";

interface Entry {
  readonly tag: string;
  readonly digest: Digest;
  readonly size: number;
}

const maxEntries = 10_000;
const refName = "org.opencontainers.image.ref.name";

/**
 * A directory as an OCI image layout (image-spec image-layout.md), which other tools can copy to a
 * registry. Who writes has it for itself; index.json is replaced whole.
 */
export class DirectoryStore implements BackupStore {
  readonly #path: string;
  readonly #signal: AbortSignal;
  #lock: Fd | undefined;

  private constructor(path: string, signal: AbortSignal) {
    this.#path = path;
    this.#signal = signal;
  }

  /**
   * To write, the directory is made if it is missing, whose parent must exist; `conflict` while
   * another writes there. To read, it must be there.
   */
  static async open(
    path: string,
    { writes, signal }: { readonly writes: boolean; readonly signal: AbortSignal },
  ): Promise<DirectoryStore> {
    const store = new DirectoryStore(path, signal);
    if (writes) await store.#make();
    else if (!(await isThere(join(path, "oci-layout"))))
      throw new Fault("not_found", `there are no backups in ${path}`, { about: path });
    return store;
  }

  async #make(): Promise<void> {
    const path = this.#path;
    if (!(await isThere(dirname(path))))
      throw new Fault(
        "not_found",
        `cannot keep backups in ${path}: ${dirname(path)} does not exist`,
        {
          about: path,
        },
      );
    if (!(await isThere(path))) await mkdir(path, { mode: 0o700 });
    const isLayout = await isThere(join(path, "oci-layout"));
    if (!isLayout && (await readdir(path)).some((name) => name !== ".lock"))
      throw new Fault(
        "invalid",
        `cannot keep backups in ${path}: it has files of others; name an empty or a new directory`,
        { about: path },
      );
    try {
      this.#lock = lockFile(join(path, ".lock"));
    } catch (cause) {
      if (!isFault(cause, "conflict")) throw cause;
      throw new Fault("conflict", `another backup is being written to ${path}; wait for its end`, {
        about: path,
        cause,
      });
    }
    await mkdir(join(path, "blobs/sha256"), { recursive: true, mode: 0o700 });
    for (const name of await readdir(path))
      if (name.startsWith(".part-")) await rm(join(path, name), { force: true });
    if (!isLayout) {
      await this.#write("index.json", encodeIndex([]));
      await this.#write("oci-layout", encodeDocument({ imageLayoutVersion: "1.0.0" }));
    }
  }

  async has(digest: Digest): Promise<boolean> {
    return await isThere(this.#blob(digest));
  }

  async put({ digest, size }: BlobRef, path: string): Promise<boolean> {
    if (await this.has(digest)) return false;
    const part = this.#part();
    try {
      const options = { signal: this.#signal };
      await pipeline(
        createReadStream(path),
        createWriteStream(part, { flags: "wx", mode: 0o600 }),
        options,
      );
      await this.#keep(part, this.#blob(digest), size);
    } catch (error) {
      rmSync(part, { force: true });
      throw error;
    }
    return true;
  }

  read({ digest }: BlobRef): AsyncIterable<Uint8Array> {
    return createReadStream(this.#blob(digest), { signal: this.#signal });
  }

  async manifest(tag: string): Promise<Uint8Array | undefined> {
    const entry = (await this.#entries()).find((each) => each.tag === tag);
    if (!entry) return undefined;
    const bytes = await readDocument(this.#blob(entry.digest));
    if (sha256(bytes) === entry.digest) return bytes;
    throw new Fault("data_loss", `the manifest of ${tag} in ${this.#path} was altered`, {
      about: this.#path,
    });
  }

  async putManifest(tag: string, bytes: Uint8Array): Promise<void> {
    const digest = sha256(bytes);
    await this.#write(join("blobs", digestPath(digest)), bytes);
    const others = (await this.#entries()).filter((each) => each.tag !== tag);
    await this.#write("index.json", encodeIndex([...others, { tag, digest, size: bytes.length }]));
  }

  async *tags(): AsyncIterable<string> {
    for (const { tag } of await this.#entries()) yield tag;
  }

  async remove(tag: string): Promise<void> {
    const others = (await this.#entries()).filter((each) => each.tag !== tag);
    await this.#write("index.json", encodeIndex(others));
  }

  async collect(blobsOf: (manifest: Uint8Array) => readonly Digest[]): Promise<number> {
    const kept = new Set<string>();
    for (const { digest } of await this.#entries()) {
      kept.add(digestHex(digest));
      for (const blob of blobsOf(await readDocument(this.#blob(digest)))) kept.add(digestHex(blob));
    }
    let bytes = 0;
    const directory = join(this.#path, "blobs/sha256");
    for (const name of await readdir(directory)) {
      if (kept.has(name)) continue;
      this.#signal.throwIfAborted();
      bytes += (await stat(join(directory, name))).size;
      await rm(join(directory, name), { force: true });
    }
    return bytes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#lock?.close();
  }

  #blob(digest: Digest): string {
    return join(this.#path, "blobs", digestPath(digest));
  }

  #part(): string {
    return join(this.#path, `.part-${newId().slice(0, 12)}`);
  }

  async #entries(): Promise<readonly Entry[]> {
    const path = join(this.#path, "index.json");
    const entries = parseJson(path, await readDocument(path))
      .at("manifests")
      .list(maxEntries, (each) => ({
        tag: each.at("annotations").optional((c) => c.at(refName).optional((t) => t.string(255))),
        digest: each.at("digest").as(parseDigest),
        size: each.at("size").size(),
      }));
    return entries.flatMap(({ tag, ...rest }) => (tag === undefined ? [] : [{ tag, ...rest }]));
  }

  async #write(name: string, bytes: Uint8Array): Promise<void> {
    const part = this.#part();
    const file = await open(part, "wx", 0o600);
    try {
      await file.writeFile(bytes);
    } finally {
      await file.close();
    }
    await this.#keep(part, join(this.#path, name), bytes.length);
  }

  /** To its place once it is on the disk. */
  async #keep(part: string, path: string, size: number): Promise<void> {
    const file = await open(part, "r");
    try {
      const found = (await file.stat()).size;
      if (found !== size)
        throw new Fault("data_loss", `${path} would have ${found} bytes instead of ${size}`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(part, path);
    const directory = await open(dirname(path), "r");
    try {
      await directory.sync();
    } finally {
      await directory.close();
    }
  }
}

async function readDocument(path: string): Promise<Buffer> {
  const { size } = await stat(path);
  if (size > maxDocumentBytes) throw new Fault("invalid", `${path} is larger than 4 MiB`);
  return await readFile(path);
}

async function isThere(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

function encodeIndex(entries: readonly Entry[]): Buffer {
  return encodeDocument({
    schemaVersion: 2,
    mediaType: mediaTypes.index,
    manifests: entries.map(({ tag, digest, size }) => ({
      mediaType: mediaTypes.manifest,
      artifactType,
      digest,
      size,
      annotations: { [refName]: tag },
    })),
  });
}
