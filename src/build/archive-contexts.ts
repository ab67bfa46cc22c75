import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { defined } from "#base";
import { makePrivateDirectory, type Owner } from "#kernel";
import { unpackTree } from "#layer";
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

  /**
   * Unpacks a tar (plain, gzip, xz or zstd), as `owner`'s where one is given; disposing removes the
   * files. A Fault leaves nothing.
   */
  async fromArchive(stream: AsyncIterable<Uint8Array>, owner?: Owner): Promise<BuildContext> {
    const path = mkdtempSync(join(this.#root, "a-"));
    const directory = join(path, "files");
    const remove = () => rm(path, { recursive: true, force: true });
    try {
      mkdirSync(directory, { mode: 0o755 });
      await unpackTree({ stream }, directory, defined({ owner }));
    } catch (error) {
      await remove();
      throw error;
    }
    return { directory, [Symbol.asyncDispose]: remove };
  }
}
