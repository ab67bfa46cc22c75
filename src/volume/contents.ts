import { readdirSync, renameSync } from "node:fs";
import { Fault, type KeyedLock } from "#base";
import { type CopyWatch, type Fd, unmount } from "#kernel";
import type { Volume } from "./contract.ts";
import { crashPoint } from "./crash-point.ts";
import { isMount, mountDevice } from "./device-mount.ts";
import { copyInto, exchange, mountsBelow, syncDirectory } from "./directory.ts";
import type { Members } from "./members.ts";
import type { Places } from "./places.ts";
import type { Staging } from "./staging.ts";

/** The parts of the volumes that their contents go by. */
export interface ContentsParts {
  readonly places: Places;
  readonly staging: Staging;
  readonly holders: Members;
  readonly locks: KeyedLock;
}

/** Gives local volumes their files: whole, and in the place of what was there, at once. */
export class Contents {
  readonly #parts: ContentsParts;

  constructor(parts: ContentsParts) {
    this.#parts = parts;
  }

  /** Copies a directory into an empty volume; false when it is not empty. */
  async fill(volume: Volume, from: Fd): Promise<boolean> {
    const { places, holders, locks } = this.#parts;
    return await locks.run(volume.name, async () => {
      places.make(volume.name);
      if (isMount(volume)) return await this.#fillMount(volume, from);
      if (readdirSync(volume.path).length > 0) return false;
      const isAlone = holders.isEmpty(volume.name) && mountsBelow(volume.path).length === 0;
      if (isAlone) await this.fillApart(volume, from);
      else await copyInto(volume.path, from);
      return true;
    });
  }

  async #fillMount(volume: Volume, from: Fd): Promise<boolean> {
    if (!mountsBelow(volume.path).includes(volume.path)) await mountDevice(volume);
    try {
      if (readdirSync(volume.path).length > 0) return false;
      await copyInto(volume.path, from);
      return true;
    } finally {
      if (this.#parts.holders.isEmpty(volume.name)) await unmount(volume.path, { detach: true });
    }
  }

  /**
   * The copy takes the place of an empty directory once it is whole: rename(2) replaces no other.
   * Gives the bytes that were not shared.
   */
  async fillApart({ name, path }: Volume, from: Fd, watch?: CopyWatch): Promise<number> {
    const { places, staging } = this.#parts;
    return await staging.use(places.size(name), async (copy) => {
      const copied = await copyInto(copy, from, watch);
      crashPoint("volume:copied");
      renameSync(copy, path);
      crashPoint("volume:copy-moved");
      return copied;
    });
  }

  /** The files that `make` puts into a directory, on the disk, take the place of the volume's. */
  async exchange<T>(
    volume: Volume,
    make: (directory: string) => Promise<T>,
    replaces: boolean,
  ): Promise<T> {
    const { places, staging, locks } = this.#parts;
    this.#requireReplaceable(volume, replaces);
    return await staging.use(places.size(volume.name), async (directory) => {
      const result = await make(directory);
      await syncDirectory(directory);
      return await locks.run(volume.name, async () => {
        this.#requireReplaceable(volume, replaces);
        crashPoint("volume:replacement-made");
        exchange(directory, volume.path);
        crashPoint("volume:replaced");
        return result;
      });
    });
  }

  #requireReplaceable({ name, path }: Volume, replaces: boolean): void {
    if (!this.#parts.holders.isEmpty(name))
      throw new Fault(
        "conflict",
        `volume ${name} is in use by a running container or an export; stop that first`,
        { about: name },
      );
    const [mounted] = mountsBelow(path);
    if (mounted !== undefined)
      throw new Fault("conflict", `something is mounted at ${mounted}; unmount it first`, {
        about: name,
      });
    if (!replaces && readdirSync(path).length > 0)
      throw new Fault(
        "exists",
        `volume ${name} has files already; replace them (--replace), or import into another volume`,
        { about: name },
      );
  }
}
