import { renameSync } from "node:fs";
import { type Clock, Fault, newId } from "#base";
import { makePrivateDirectory } from "#kernel";
import type { State } from "#state";
import type { VolumeSnapshot } from "./contract.ts";
import { crashPoint } from "./crash-point.ts";
import type { RemovedVolumes } from "./removed-volumes.ts";
import { SnapshotStore, type StoredSnapshot } from "./snapshot-store.ts";
import type { Staging } from "./staging.ts";

/** The parts of the volumes that their snapshots use. */
export interface SnapshotParts {
  readonly state: State;
  readonly clock: Clock;
  readonly removed: RemovedVolumes;
  readonly staging: Staging;
}

/** A volume as its snapshots know it: `home` is the directory that holds all of it. */
export interface Origin {
  readonly id: string;
  readonly name: string;
  readonly home: string;
}

/**
 * The snapshots of volumes: directories HOME/_snapshots/TAG, which go wherever the volume goes.
 * As with volumes, the row comes first and makes no promise until the directory is there.
 */
export class Snapshots {
  readonly #store: SnapshotStore;
  readonly #parts: SnapshotParts;

  constructor(parts: SnapshotParts) {
    this.#store = new SnapshotStore(parts.state);
    this.#parts = parts;
  }

  /** The place of a directory that a removal has set aside; undefined without a row. */
  homeOf(id: string, homeOf: (volumeId: string) => string | undefined): string | undefined {
    const stored = this.#store.byId(id);
    const home = stored && homeOf(stored.volumeId);
    return stored && home && pathOf(home, stored.tag);
  }

  /** Removes what a crash left half-made. */
  recover(homeOf: (volumeId: string) => string | undefined): void {
    for (const stored of this.#store.pending()) {
      const home = homeOf(stored.volumeId);
      if (home !== undefined) this.#remove(home, stored);
    }
  }

  list({ id, name, home }: Origin): readonly VolumeSnapshot[] {
    return this.#store.of(id).map(({ tag, createdAt }) => ({
      volume: name,
      tag,
      createdAt,
      path: pathOf(home, tag),
    }));
  }

  get(origin: Origin, tag: string): VolumeSnapshot {
    const found = this.list(origin).find((each) => each.tag === tag);
    if (found) return found;
    throw new Fault("not_found", `volume ${origin.name} has no snapshot ${tag}`, { about: tag });
  }

  /** `copy` fills an empty directory; the snapshot is there once that is done. */
  async create<T>(
    origin: Origin,
    wanted: string | undefined,
    copy: (directory: string) => Promise<T>,
  ): Promise<{ readonly snapshot: VolumeSnapshot; readonly copied: T }> {
    const createdAt = this.#parts.clock.now();
    const tag = wanted ?? this.#freeTag(origin, createdAt);
    checkTag(tag);
    if (this.#store.find(origin.id, tag))
      throw new Fault("exists", `volume ${origin.name} has a snapshot ${tag} already`, {
        about: tag,
      });
    const stored = { id: newId(), volumeId: origin.id, tag, createdAt };
    this.#store.insert(stored);
    crashPoint("snapshot:recorded");
    try {
      const copied = await this.#parts.staging.use(undefined, async (directory) => {
        const result = await copy(directory);
        crashPoint("snapshot:copied");
        makePrivateDirectory(`${origin.home}/_snapshots`);
        renameSync(directory, pathOf(origin.home, tag));
        crashPoint("snapshot:moved");
        return result;
      });
      this.#store.keepForGood(stored.id);
      return { snapshot: this.get(origin, tag), copied };
    } catch (error) {
      this.#remove(origin.home, stored);
      throw error;
    }
  }

  remove(origin: Origin, tag: string): void {
    const { path } = this.get(origin, tag);
    const stored = this.#store.find(origin.id, tag);
    if (stored && path) this.#remove(origin.home, stored);
  }

  /** As a volume is removed: set aside, then the row, then the files. */
  #remove(home: string, { id, tag }: StoredSnapshot): void {
    const aside = this.#parts.removed.setAside(pathOf(home, tag), id);
    crashPoint("snapshot:set-aside");
    try {
      this.#store.delete(id);
    } catch (error) {
      this.#parts.removed.putBack(id, pathOf(home, tag));
      throw error;
    }
    crashPoint("snapshot:row-deleted");
    this.#parts.removed.delete(aside);
  }

  /** The time in UTC, "20261129-145001", and a number behind it for the second of the same second. */
  #freeTag({ id }: Origin, time: bigint): string {
    const digits = new Date(Number(time / 1_000_000n)).toISOString().replace(/\D/g, "");
    const plain = `${digits.slice(0, 8)}-${digits.slice(8, 14)}`;
    for (let number = 1; ; number++) {
      const tag = number === 1 ? plain : `${plain}.${number}`;
      if (!this.#store.find(id, tag)) return tag;
    }
  }
}

function pathOf(home: string, tag: string): string {
  return `${home}/_snapshots/${tag}`;
}

function checkTag(tag: string): void {
  if (/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/.test(tag)) return;
  throw new Fault(
    "invalid",
    `${JSON.stringify(tag)} cannot be the tag of a snapshot: it has 1 to 128 of the characters [a-zA-Z0-9_.-], and begins with a letter or digit`,
    { about: tag },
  );
}
