import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { Fault, isFault } from "#base";
import {
  fstatat,
  makePrivateDirectory,
  O_DIRECTORY,
  O_PATH,
  openat2,
  openRegularFile,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  readInto,
} from "#kernel";
import { scanTree, unpackTree } from "#layer";
import type { BuildContext } from "./contract.ts";

/** The contexts that come as archives: each a directory for one build. */
export class ArchiveContexts {
  readonly #root: string;

  /** Whatever is below `root` was left by a crash. */
  constructor(root: string) {
    this.#root = root;
    rmSync(root, { recursive: true, force: true });
    makePrivateDirectory(root);
  }

  /** Unpacks a tar (plain, gzip, xz or zstd); disposing removes the files. A Fault leaves nothing. */
  async fromArchive(stream: AsyncIterable<Uint8Array>): Promise<BuildContext> {
    const path = mkdtempSync(join(this.#root, "a-"));
    const context = new DirectoryContext(path);
    try {
      await unpackTree({ stream }, context.directory);
      return context;
    } catch (error) {
      await context[Symbol.asyncDispose]();
      throw error;
    }
  }
}

/** The files of a context in a directory that is its own. */
class DirectoryContext implements BuildContext {
  readonly directory: string;
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
    this.directory = join(path, "files");
    mkdirSync(this.directory, { mode: 0o755 });
  }

  async newest(): Promise<bigint> {
    let newest = 0n;
    for await (const batch of scanTree({ directory: this.directory, mode: "tree" }, {})) {
      for (const { type, mtime } of batch) {
        if (type !== "directory" && mtime > newest) newest = mtime;
      }
    }
    return newest;
  }

  async read(path: string, limit: number): Promise<Buffer | undefined> {
    try {
      using root = openat2(undefined, this.directory, { flags: O_PATH | O_DIRECTORY });
      const resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
      using found = openat2(root, path, { flags: O_PATH, resolve });
      using file = openRegularFile(found, "");
      if (!file) return undefined;
      const { size } = fstatat(file, "", false);
      if (size > limit) {
        throw new Fault("exhausted", `${path} has more than ${limit} bytes`, { about: path });
      }
      const bytes = Buffer.alloc(size);
      return bytes.subarray(0, readInto(file, bytes, 0));
    } catch (error) {
      if (isFault(error, "not_found")) return undefined;
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#path, { recursive: true, force: true });
  }
}
