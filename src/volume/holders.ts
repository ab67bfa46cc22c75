import { basename, dirname } from "node:path";
import { type Clock, Fault, type KeyedLock } from "#base";
import { unmount } from "#kernel";
import type { State } from "#state";
import type { Volume, VolumeHolders } from "./contract.ts";
import { crashPoint } from "./crash-point.ts";
import { isMount, mountDevice } from "./device-mount.ts";
import { mountsBelow } from "./directory.ts";
import { Loans } from "./loans.ts";
import type { Members } from "./members.ts";
import type { Places } from "./places.ts";
import type { PluginVolumes } from "./plugin-volumes.ts";
import type { VolumeStore } from "./volume-store.ts";

/** The parts of the volumes that their holders go by. */
export interface HoldersParts {
  readonly state: State;
  readonly clock: Clock;
  readonly store: VolumeStore;
  readonly directory: string;
  readonly places: Places;
  readonly foreign: PluginVolumes;
  readonly members: Members;
  readonly locks: KeyedLock;
  readonly find: (name: string) => Volume | undefined;
  readonly get: (name: string) => Volume;
}

/** Who has a volume, and the mount of its own that is there as long as somebody has it. */
export class Holders implements VolumeHolders {
  readonly #parts: HoldersParts;
  readonly #members: Members;
  readonly #loans: Loans;

  constructor(parts: HoldersParts) {
    this.#parts = parts;
    this.#members = parts.members;
    this.#loans = new Loans(parts.state);
  }

  /** Those who borrowed a volume hold it still. */
  recover(): void {
    for (const { name, borrower } of this.#loans.all()) this.adopt(name, loanOf(borrower));
  }

  async hold(name: string, holder: string): Promise<string> {
    const path = await this.take(name, holder);
    this.#parts.store.used(name, this.#parts.clock.now());
    return path;
  }

  /** As `hold`, for a reader, whose time does not count. */
  async take(name: string, holder: string): Promise<string> {
    const volume = this.#parts.get(name);
    this.#members.add(name, holder);
    try {
      const isOurs = volume.driver === "local";
      return await (isOurs ? this.#ready(volume) : this.#parts.foreign.hold(volume, holder));
    } catch (error) {
      this.#members.remove(name, holder);
      throw error;
    }
  }

  /** The directory of a local volume, with the mount that its options ask for. */
  async #ready(volume: Volume): Promise<string> {
    const { name, path } = volume;
    await this.#parts.locks.run(name, async () => {
      this.#parts.places.make(name);
      if (!isMount(volume) || mountsBelow(path).includes(path)) return;
      await mountDevice(volume);
      crashPoint("volume:mounted");
    });
    return path;
  }

  async lend(name: string, borrower: string): Promise<string> {
    const { driver } = this.#parts.get(name);
    if (driver !== "local")
      throw new Fault("unsupported", `volume ${name} is the plugin ${driver}'s to lend`, {
        about: name,
      });
    const path = await this.hold(name, loanOf(borrower));
    this.#loans.add({ name, borrower });
    return path;
  }

  async takeBack(name: string, borrower: string): Promise<void> {
    this.#loans.remove({ name, borrower });
    await this.release(name, loanOf(borrower));
  }

  adopt(name: string, holder: string): void {
    this.#members.add(name, holder);
  }

  has(name: string, holder: string): boolean {
    return this.#members.has(name, holder);
  }

  async release(name: string, holder: string): Promise<void> {
    if (!this.#members.remove(name, holder)) return;
    const volume = this.#parts.find(name);
    if (volume && volume.driver !== "local") await this.#parts.foreign.release(volume, holder);
    else if (volume) await this.undoMount(volume);
  }

  async settle(): Promise<void> {
    this.#parts.foreign.settle();
    for (const target of mountsBelow(this.#parts.directory)) {
      const volume = this.#parts.find(basename(dirname(target)));
      if (volume?.path === target) await this.undoMount(volume);
    }
  }

  /**
   * Undoes a mount of the volume's own once it has no holder. Containers that still end keep
   * theirs.
   */
  async undoMount(volume: Volume): Promise<void> {
    if (volume.driver !== "local" || !isMount(volume)) return;
    await this.#parts.locks.run(volume.name, async () => {
      if (!this.#members.isEmpty(volume.name)) return;
      for (const target of mountsBelow(volume.path))
        if (target === volume.path) await unmount(target, { detach: true });
    });
  }
}

/** Told from containers, whose ids have no colon. */
const loanOf = (borrower: string) => `loan:${borrower}`;
