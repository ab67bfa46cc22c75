import { createReadStream } from "node:fs";
import { isFault } from "#base";
import type { BlobRef } from "#chunk";
import { type Digest, mediaTypes } from "#image";
import type { Repository } from "#registry-client";
import type { BackupStore } from "./backup-store.ts";

/** A repository of a registry, which collects what no manifest refers to by itself. */
export class RegistryStore implements BackupStore {
  readonly #repository: Repository;
  readonly #signal: AbortSignal;

  constructor(repository: Repository, signal: AbortSignal) {
    this.#repository = repository;
    this.#signal = signal;
  }

  has(digest: Digest): Promise<boolean> {
    return this.#repository.hasBlob(digest, { signal: this.#signal });
  }

  async put(ref: BlobRef, path: string): Promise<boolean> {
    const source = (start: number) => createReadStream(path, { start }) as AsyncIterable<Buffer>;
    const result = await this.#repository.putBlob(ref, source, { signal: this.#signal });
    return result === "uploaded";
  }

  read(ref: BlobRef): AsyncIterable<Uint8Array> {
    return this.#repository.blob(ref, { signal: this.#signal });
  }

  async manifest(tag: string): Promise<Uint8Array | undefined> {
    try {
      return (await this.#repository.manifest(tag, { signal: this.#signal })).bytes;
    } catch (error) {
      if (isFault(error, "not_found")) return undefined;
      throw error;
    }
  }

  async putManifest(tag: string, bytes: Uint8Array): Promise<void> {
    await this.#repository.putManifest(tag, bytes, mediaTypes.manifest, { signal: this.#signal });
  }

  async *tags(): AsyncIterable<string> {
    try {
      yield* this.#repository.tags({ signal: this.#signal });
    } catch (error) {
      // A repository comes to be with the first push.
      if (!isFault(error, "not_found")) throw error;
    }
  }

  async remove(tag: string): Promise<void> {
    const { digest } = await this.#repository.resolve(tag, { signal: this.#signal });
    await this.#repository.deleteManifest(digest, { signal: this.#signal });
  }

  collect(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}
