import { readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { faultOf, type Log } from "#base";
import { makePrivateDirectory, removeTree, unlimit } from "#kernel";

/**
 * Removal in two steps: a rename, after which the thing is gone for everyone, and the deletion in
 * the background, one after another on the runtime's thread pool. The next start deletes what a
 * crash leaves in the trash.
 */
export class Trash {
  readonly #directory: string;
  readonly #log: Log;
  #emptying: Promise<void> = Promise.resolve();
  #next = 0;

  constructor(directory: string, log: Log) {
    this.#directory = directory;
    this.#log = log;
    makePrivateDirectory(directory);
    const leftovers = readdirSync(directory);
    for (const name of leftovers) {
      const counter = Number(/-(\d+)$/.exec(name)?.[1] ?? 0);
      this.#next = Math.max(this.#next, counter + 1);
      this.#delete(join(directory, name));
    }
  }

  /** `path` must be on the file system of the trash. */
  take(path: string): void {
    const grave = join(this.#directory, `${Date.now().toString(36)}-${this.#next++}`);
    renameSync(path, grave);
    this.#delete(grave);
  }

  async drain(): Promise<void> {
    await this.#emptying;
  }

  #delete(path: string): void {
    this.#emptying = this.#emptying.then(async () => {
      try {
        unlimit([path]);
        await removeTree(path);
      } catch (error) {
        this.#log.warn("cannot empty the trash; it is tried again at the next start", {
          path,
          error: faultOf(error).message,
        });
      }
    });
  }
}
