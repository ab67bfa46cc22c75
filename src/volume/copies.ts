import { existsSync, readdirSync } from "node:fs";
import { Fault, type KeyedLock, newId } from "#base";
import type { CopyWatch, Fd } from "#kernel";
import type { Contents } from "./contents.ts";
import type {
  Volume,
  VolumeCopies,
  VolumeRequest,
  VolumeSnapshot,
  VolumeSource,
} from "./contract.ts";
import { isMount } from "./device-mount.ts";
import { copyHolding, copyInto, openDirectory, syncDirectory } from "./directory.ts";
import type { Holders } from "./holders.ts";
import { Members } from "./members.ts";
import type { Places } from "./places.ts";
import type { PluginVolumes } from "./plugin-volumes.ts";
import { checkName } from "./request.ts";
import type { Origin, Snapshots } from "./snapshots.ts";
import type { VolumeStore } from "./volume-store.ts";

/** The parts of the volumes that copies of their files go by. */
export interface CopiesParts {
  readonly places: Places;
  readonly locks: KeyedLock;
  readonly contents: Contents;
  readonly store: VolumeStore;
  readonly foreign: PluginVolumes;
  readonly snapshots: Snapshots;
  readonly holders: Holders;
  readonly get: (name: string) => Volume;
  readonly claim: (name: string, claimant: string) => Volume;
  readonly unclaim: (claimant: string) => Promise<void>;
  readonly createLocal: (request: VolumeRequest, claimant: string) => Created;
}

interface Created {
  readonly volume: Volume;
  readonly made: boolean;
}

/** The files of volumes as copies: read, filled, cloned, kept as they were, and given back. */
export class Copies implements VolumeCopies {
  readonly #parts: CopiesParts;
  readonly #contents: Contents;
  readonly #snapshots: Snapshots;
  /** Of snapshots, by path. */
  readonly #readers = new Members();

  constructor(parts: CopiesParts) {
    this.#parts = parts;
    this.#contents = parts.contents;
    this.#snapshots = parts.snapshots;
  }

  async clone(
    source: VolumeSource,
    request: VolumeRequest & { readonly name: string },
    watch?: CopyWatch,
  ): Promise<{ readonly volume: Volume; readonly copied: number }> {
    refuseElsewhere(this.#parts.get(source.name), "copy them");
    const claimant = newId();
    await using origin = await this.read(source);
    try {
      checkName(request.name);
      this.#parts.places.requireFree(request.name);
      const { volume } = this.#parts.createLocal(request, claimant);
      using from = openDirectory(origin.path);
      const copied = await this.#contents.fillApart(volume, from, watch);
      this.#parts.store.keepForGood(volume.name);
      return { volume, copied };
    } finally {
      await this.#parts.unclaim(claimant);
    }
  }

  async read({ name, snapshot }: VolumeSource): ReturnType<VolumeCopies["read"]> {
    const reader = newId();
    if (snapshot === undefined) {
      const path = await this.#parts.holders.take(name, reader);
      return { path, [Symbol.asyncDispose]: () => this.#parts.holders.release(name, reader) };
    }
    const { path } = this.#snapshots.get(this.#origin(name), snapshot);
    this.#parts.claim(name, reader);
    this.#readers.add(path, reader);
    const end = async () => {
      this.#readers.remove(path, reader);
      await this.#parts.unclaim(reader);
    };
    return { path, [Symbol.asyncDispose]: end };
  }

  #origin(name: string): Origin {
    const id = this.#parts.store.get(name)?.id;
    if (id === undefined)
      throw new Fault("not_found", `get ${name}: no such volume`, { about: name });
    return { id, name, home: this.#parts.places.home(name) };
  }

  async snapshot(
    name: string,
    { tag, holding, ...watch }: Parameters<VolumeCopies["snapshot"]>[1],
  ): ReturnType<VolumeCopies["snapshot"]> {
    refuseElsewhere(this.#parts.get(name), "copy them");
    await using volume = await this.read({ name });
    // What is written already need not be waited for while its writers stand still.
    await syncDirectory(volume.path);
    using from = openDirectory(volume.path);
    // No other holder comes meanwhile.
    const alone = (copy: () => Promise<number>) => this.#parts.locks.run(name, () => holding(copy));
    return await this.#snapshots.create(this.#origin(name), tag, (directory) =>
      copyHolding(directory, from, { ...watch, holding: alone }),
    );
  }

  snapshots(name: string): readonly VolumeSnapshot[] {
    return this.#snapshots.list(this.#origin(name));
  }

  removeSnapshot(name: string, tag: string): void {
    const origin = this.#origin(name);
    const { path } = this.#snapshots.get(origin, tag);
    if (!this.#readers.isEmpty(path))
      throw new Fault(
        "conflict",
        `snapshot ${name}@${tag} is being read; try again when that is over`,
        { about: tag },
      );
    this.#snapshots.remove(origin, tag);
  }

  async rollback(
    name: string,
    tag: string,
    watch?: CopyWatch,
  ): Promise<{ readonly copied: number }> {
    await using snapshot = await this.read({ name, snapshot: tag });
    using from = openDirectory(snapshot.path);
    const make = (directory: string) => copyInto(directory, from, watch);
    return { copied: await this.#contents.exchange(this.#parts.get(name), make, true) };
  }

  async fill(name: string, from: Fd): Promise<boolean> {
    const volume = this.#parts.get(name);
    if (volume.driver !== "local") return await this.#parts.foreign.fill(volume, from);
    return await this.#contents.fill(volume, from);
  }

  mayFill(name: string): boolean {
    const volume = this.#parts.get(name);
    return isMount(volume) || !existsSync(volume.path) || readdirSync(volume.path).length === 0;
  }

  async replace(
    request: VolumeRequest & { readonly name: string },
    { replaces, make }: Parameters<VolumeCopies["replace"]>[1],
  ): ReturnType<VolumeCopies["replace"]> {
    const { name } = request;
    const claimant = newId();
    try {
      const { volume, made } = this.#parts.createLocal(request, claimant);
      refuseElsewhere(volume, "write them");
      this.#parts.places.make(name);
      await this.#contents.exchange(volume, make, replaces);
      this.#parts.store.keepForGood(name);
      return { volume, made };
    } finally {
      await this.#parts.unclaim(claimant);
    }
  }
}

function refuseElsewhere(volume: Volume, verb: string): void {
  const isForeign = volume.driver !== "local";
  if (!isForeign && !isMount(volume)) return;
  const place = isForeign ? `with the plugin ${volume.driver}` : "in its device";
  throw new Fault(
    "unsupported",
    `the files of volume ${volume.name} are not here but ${place}; ${verb} in a container`,
    { about: volume.name },
  );
}
