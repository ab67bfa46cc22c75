import { chmodSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { newId } from "#base";
import { limitDirectory, makePrivateDirectory } from "#kernel";
import type { RemovedVolumes } from "./removed-volumes.ts";

/** Directories in the making, each under an id of its own; the next start deletes those of a crash. */
export class Staging {
  readonly #directory: string;
  readonly #removed: RemovedVolumes;

  constructor(directory: string, removed: RemovedVolumes) {
    this.#directory = directory;
    this.#removed = removed;
    makePrivateDirectory(directory);
  }

  recover(): void {
    for (const id of readdirSync(this.#directory)) this.#removed.delete(join(this.#directory, id));
  }

  /**
   * Gives an empty directory to work, which moves it to its place as its last step. Whatever is at
   * its path afterwards is deleted: what was half-made, or what it took the place of.
   * @param size bytes that the directory is limited to
   */
  async use<T>(size: number | undefined, work: (directory: string) => Promise<T>): Promise<T> {
    const directory = join(this.#directory, newId());
    mkdirSync(directory);
    // Whatever the umask is: a container's user is rarely ours.
    chmodSync(directory, 0o755);
    try {
      if (size !== undefined) limitDirectory(directory, size);
      return await work(directory);
    } finally {
      this.#removed.delete(directory);
    }
  }
}
