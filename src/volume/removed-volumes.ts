import { existsSync, readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { faultOf, type Log } from "#base";
import { makePrivateDirectory, removeTree, unlimit } from "#kernel";

/**
 * Directories of volumes that are removed, each under the volume's id: first set aside, then, once
 * the row is gone, deleted in the background, one after another.
 */
export class RemovedVolumes {
  readonly #directory: string;
  readonly #log: Log;
  #deleting: Promise<void> = Promise.resolve();

  constructor(directory: string, log: Log) {
    this.#directory = directory;
    this.#log = log;
    makePrivateDirectory(directory);
  }

  /**
   * After a crash: puts back what still has a row, and deletes the rest.
   * @param homeOf where the directory of the volume with this id belongs; undefined without a row
   */
  recover(homeOf: (id: string) => string | undefined): void {
    for (const id of readdirSync(this.#directory)) {
      const home = homeOf(id);
      if (home === undefined) this.delete(join(this.#directory, id));
      else this.putBack(id, home);
    }
  }

  /**
   * Renames the directory away and gives its new path. A directory that is missing, as after a
   * crash, stays missing.
   */
  setAside(home: string, id: string): string {
    const aside = join(this.#directory, id);
    if (existsSync(home)) renameSync(home, aside);
    return aside;
  }

  putBack(id: string, home: string): void {
    const aside = join(this.#directory, id);
    if (existsSync(aside) && !existsSync(home)) renameSync(aside, home);
  }

  delete(aside: string): void {
    this.#deleting = this.#deleting.then(async () => {
      try {
        unlimit([aside, join(aside, "_data")]);
        await removeTree(aside);
      } catch (error) {
        this.#log.warn("the files of a removed volume stay until the next start", {
          path: aside,
          error: faultOf(error).message,
        });
      }
    });
  }

  drained(): Promise<void> {
    return this.#deleting;
  }
}
