import { chmodSync, existsSync, renameSync } from "node:fs";
import { Fault } from "#base";
import { limitDirectory, makePrivateDirectory } from "#kernel";
import { sizeOf } from "./limit.ts";
import type { VolumeStore } from "./volume-store.ts";

/** Where the local volumes of a data root are: all of one in its home, its files in HOME/_data. */
export class Places {
  readonly #directory: string;
  readonly #store: VolumeStore;

  constructor(directory: string, store: VolumeStore) {
    this.#directory = directory;
    this.#store = store;
  }

  home(name: string): string {
    return `${this.#directory}/${name}`;
  }

  data(name: string): string {
    return `${this.#directory}/${name}/_data`;
  }

  /** The bytes that a volume is limited to. */
  size(name: string): number | undefined {
    return sizeOf(this.#store.get(name)?.options);
  }

  /** `exists` for the name of a volume, or of something else on the disk. */
  requireFree(name: string): void {
    if (this.#store.get(name))
      throw new Fault("exists", `there is a volume ${name} already; choose another name`, {
        about: name,
      });
    if (existsSync(this.home(name)))
      throw new Fault(
        "exists",
        `${this.home(name)} is in the way, which belongs to no volume; move it away`,
        { about: name },
      );
  }

  /** Makes what is missing of a volume's directories. */
  make(name: string): void {
    makePrivateDirectory(this.home(name));
    const data = this.data(name);
    if (existsSync(data)) return;
    // Apart, so that a crash leaves no directory without its limit.
    const fresh = `${this.home(name)}/_new`;
    makePrivateDirectory(fresh);
    // Whatever the umask is: a container's user is rarely ours.
    chmodSync(fresh, 0o755);
    const size = this.size(name);
    if (size !== undefined) limitDirectory(fresh, size);
    renameSync(fresh, data);
  }
}
