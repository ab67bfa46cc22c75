import { existsSync, readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import {
  type Clock,
  Fault,
  faultOf,
  KeyedLock,
  type Log,
  newId,
  silentLog,
  systemClock,
} from "#base";
import { diskUsage, type Fd, makePrivateDirectory, type ProjectQuota, unmount } from "#kernel";
import type { State } from "#state";
import { Contents } from "./contents.ts";
import type { Volume, VolumeRequest, VolumeSnapshot, VolumeSource, Volumes } from "./contract.ts";
import { crashPoint } from "./crash-point.ts";
import { isMount, mountDevice } from "./device-mount.ts";
import { copyHolding, copyInto, mountsBelow, openDirectory, syncDirectory } from "./directory.ts";
import { limitOf, requireQuotas, sizeOf } from "./limit.ts";
import { Loans } from "./loans.ts";
import { Members } from "./members.ts";
import { Places } from "./places.ts";
import { PluginMounts } from "./plugin-mounts.ts";
import { PluginVolumes } from "./plugin-volumes.ts";
import { RemovedVolumes } from "./removed-volumes.ts";
import { checkDriver, checkName } from "./request.ts";
import { type Origin, Snapshots } from "./snapshots.ts";
import { Staging } from "./staging.ts";
import { type PluginOptions, VolumePlugins } from "./volume-plugins.ts";
import { type StoredVolume, VolumeStore } from "./volume-store.ts";

/** The data root whose volumes these are. */
export interface VolumesOptions {
  readonly state: State;
  /** Where the volumes are kept; on one file system with all below it, but for mounts. */
  readonly directory: string;
  readonly clock?: Clock;
  readonly log?: Log;
  /** Where plugins are looked for, and how long they are waited for; as Docker does unless given. */
  readonly plugins?: PluginOptions;
}

/** Opens the volumes of a data root, and finishes or undoes what a crash left half-done. */
export async function openVolumes(options: VolumesOptions): Promise<Volumes> {
  makePrivateDirectory(options.directory);
  const volumes = new LocalVolumes(options);
  await volumes.recover();
  return volumes;
}

class LocalVolumes implements Volumes {
  readonly #directory: string;
  readonly #store: VolumeStore;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #removed: RemovedVolumes;
  readonly #staging: Staging;
  readonly #places: Places;
  readonly #contents: Contents;
  readonly #snapshots: Snapshots;
  readonly #holders = new Members();
  readonly #claims = new Members();
  /** Of snapshots, by path. */
  readonly #readers = new Members();
  /** Held per volume while its directory is made ready. */
  readonly #locks = new KeyedLock();
  readonly #loans: Loans;
  readonly #mounts: PluginMounts;
  readonly #foreign: PluginVolumes;

  constructor(options: VolumesOptions) {
    const { state, directory, clock = systemClock, log = silentLog } = options;
    this.#directory = directory;
    this.#store = new VolumeStore(state);
    this.#places = new Places(directory, this.#store);
    this.#clock = clock;
    this.#log = log;
    const removed = new RemovedVolumes(join(directory, ".removed"), log);
    const staging = new Staging(join(directory, ".making"), removed);
    this.#removed = removed;
    this.#staging = staging;
    this.#snapshots = new Snapshots({ state, clock, removed, staging });
    this.#contents = new Contents({
      ...{ places: this.#places, staging, holders: this.#holders, locks: this.#locks },
    });
    this.#loans = new Loans(state);
    const plugins = new VolumePlugins({ self: state.instanceId, ...options.plugins });
    this.#mounts = new PluginMounts({ state, plugins, log });
    this.#foreign = new PluginVolumes({
      ...{ store: this.#store, plugins, mounts: this.#mounts, log },
      ...{ holders: this.#holders, claims: this.#claims, locks: this.#locks },
      newRow: (name, request) => this.#newRow(name, request),
      view: (stored) => this.#view(stored),
    });
  }

  async recover(): Promise<void> {
    for (const { name, borrower } of this.#loans.all()) this.adopt(name, loanOf(borrower));
    const homeOf = (id: string) => {
      const name = this.#store.nameOf(id);
      return name === undefined ? undefined : this.#places.home(name);
    };
    this.#removed.recover((id) => homeOf(id) ?? this.#snapshots.homeOf(id, homeOf));
    this.#staging.recover();
    this.#snapshots.recover(homeOf);
    for (const { name, driver } of this.#store.pending()) {
      // What a plugin has may have been there before.
      if (driver === "local") await this.#removeOrLog(name);
      else this.#store.delete(name);
    }
  }

  create(request: VolumeRequest, claimant?: string) {
    const name = request.name || newId();
    const found = this.find(name);
    if (found) {
      checkDriver(name, { ...request, options: {} });
      if (claimant !== undefined) this.#claims.add(name, claimant);
      else this.#store.setPending(name, false);
      return { volume: found, made: false };
    }
    if (request.name) checkName(name);
    checkDriver(name, request);
    if (sizeOf(request.options) !== undefined) requireQuotas(this.#directory);
    const stored = this.#newRow(name, request);
    this.#store.insert(stored, claimant !== undefined);
    crashPoint("volume:recorded");
    try {
      this.#places.make(name);
    } catch (error) {
      this.#store.delete(name);
      throw error;
    }
    crashPoint("volume:directory-made");
    if (claimant !== undefined) this.#claims.add(name, claimant);
    return { volume: this.#view(stored), made: true };
  }

  async provide(request: VolumeRequest, claimant?: string) {
    const name = request.name || newId();
    const asked = request.driver || this.find(name)?.driver;
    const driver = asked || (request.name ? await this.#foreign.driverOf(name) : "local");
    return await this.#locks.run(name, async () => {
      const found = this.find(name);
      if (found && found.driver !== driver)
        throw new Fault(
          "conflict",
          `create ${name}: driver '${found.driver}' already has volume '${name}': volume name must be unique`,
          { about: name },
        );
      if (driver === "local") return this.create({ ...request, driver }, claimant);
      this.#foreign.checkStays(name);
      const { made } = found ? { made: false } : await this.#foreign.provide(name, driver, request);
      if (claimant !== undefined) this.#claims.add(name, claimant);
      // One that was there is not its claimant's to remove.
      if (claimant === undefined || !made) this.#store.keepForGood(name);
      return { volume: this.get(name), made };
    });
  }

  async inspect(name: string): Promise<Volume> {
    const known = this.find(name);
    if (known?.driver === "local") return known;
    if (known) return await this.#foreign.describe(known);
    return (await this.#foreign.find(name)) ?? this.get(name);
  }

  listAll(drivers?: readonly string[]) {
    return this.#foreign.list(this.list(), drivers);
  }

  #newRow(name: string, request: VolumeRequest): StoredVolume {
    const { options, labels, owner, anonymous = !request.name } = request;
    return {
      name,
      id: newId(),
      driver: request.driver || "local",
      options,
      labels,
      createdAt: this.#clock.now(),
      anonymous,
      owner,
      lastUsed: 0n,
    };
  }

  claim(name: string, claimant: string): Volume {
    const volume = this.get(name);
    this.#foreign.checkStays(name);
    this.#claims.add(name, claimant);
    return volume;
  }

  keep(names: readonly string[]): void {
    for (const name of names) this.#store.setPending(name, false);
  }

  abandon(names: readonly string[]): void {
    for (const name of names) this.#store.setPending(name, true);
  }

  pathOf(name: string): string {
    return this.#mounts.placeOf(name) ?? this.#places.data(name);
  }

  async unclaim(claimant: string): Promise<void> {
    const abandoned = this.#claims
      .leaveAll(claimant)
      .filter((name) => this.#claims.isEmpty(name) && this.#store.isPending(name));
    for (const name of abandoned) await this.#removeOrLog(name);
  }

  find(name: string): Volume | undefined {
    const stored = this.#store.get(name);
    return stored && this.#view(stored);
  }

  get(name: string): Volume {
    const volume = this.find(name);
    if (volume) return volume;
    throw new Fault("not_found", `get ${name}: no such volume`, { about: name });
  }

  list(): readonly Volume[] {
    return this.#store.all().map((stored) => this.#view(stored));
  }

  /** The row of a volume without a holder; nothing may be awaited until the row has changed. */
  #unused(verb: "remove" | "rename", name: string): StoredVolume {
    const stored = this.#store.get(name);
    if (!stored) throw new Fault("not_found", `get ${name}: no such volume`, { about: name });
    if (!this.#holders.isEmpty(name) || !this.#claims.isEmpty(name))
      throw new Fault("conflict", `${verb} ${name}: volume is in use`, { about: name });
    const [mounted] = mountsBelow(this.#places.home(name));
    if (mounted !== undefined)
      throw new Fault(
        "conflict",
        `${verb} ${name}: something is mounted at ${mounted}; unmount it first`,
        { about: name },
      );
    return stored;
  }

  async remove(name: string, { force }: { readonly force: boolean } = { force: false }) {
    const volume = this.get(name);
    if (volume.driver !== "local") {
      await this.#foreign.remove(volume, force);
      return;
    }
    await this.#undoMount(volume);
    const stored = this.#unused("remove", name);
    const aside = this.#removed.setAside(this.#places.home(name), stored.id);
    crashPoint("volume:set-aside");
    try {
      this.#store.delete(name);
    } catch (error) {
      this.#removed.putBack(stored.id, this.#places.home(name));
      throw error;
    }
    crashPoint("volume:row-deleted");
    this.#removed.delete(aside);
  }

  async rename(
    name: string,
    to: string,
    labels: Readonly<Record<string, string>> | undefined,
  ): Promise<Volume> {
    checkName(to);
    this.#refuseForeign("rename", this.get(name));
    await this.#undoMount(this.get(name));
    const stored = this.#unused("rename", name);
    this.#places.requireFree(to);
    this.#removed.setAside(this.#places.home(name), stored.id);
    crashPoint("volume:set-aside");
    try {
      this.#store.rename(name, to, labels);
    } catch (error) {
      this.#removed.putBack(stored.id, this.#places.home(name));
      throw error;
    }
    crashPoint("volume:row-renamed");
    this.#removed.putBack(stored.id, this.#places.home(to));
    return this.get(to);
  }

  #refuseForeign(verb: string, { name, driver }: Volume): void {
    if (driver === "local") return;
    const message = `${verb} ${name}: it is a volume of the plugin ${driver}, which cannot do that`;
    throw new Fault("unsupported", message, { about: name });
  }

  async clone(
    source: VolumeSource,
    request: VolumeRequest & { readonly name: string },
    signal?: AbortSignal,
  ): Promise<{ readonly volume: Volume; readonly copied: number }> {
    refuseElsewhere(this.get(source.name), "copy them");
    const claimant = newId();
    await using origin = await this.read(source);
    try {
      checkName(request.name);
      this.#places.requireFree(request.name);
      const { volume } = this.create(request, claimant);
      using from = openDirectory(origin.path);
      const copied = await this.#contents.fillApart(volume, from, signal);
      this.#store.keepForGood(volume.name);
      return { volume, copied };
    } finally {
      await this.unclaim(claimant);
    }
  }

  async read({ name, snapshot }: VolumeSource): ReturnType<Volumes["read"]> {
    const reader = newId();
    if (snapshot === undefined) {
      const path = await this.#hold(name, reader);
      return { path, [Symbol.asyncDispose]: () => this.release(name, reader) };
    }
    const { path } = this.#snapshots.get(this.#origin(name), snapshot);
    this.claim(name, reader);
    this.#readers.add(path, reader);
    const end = async () => {
      this.#readers.remove(path, reader);
      await this.unclaim(reader);
    };
    return { path, [Symbol.asyncDispose]: end };
  }

  #origin(name: string): Origin {
    const id = this.#store.get(name)?.id;
    if (id === undefined)
      throw new Fault("not_found", `get ${name}: no such volume`, { about: name });
    return { id, name, home: this.#places.home(name) };
  }

  async snapshot(
    name: string,
    { tag, holding, signal }: Parameters<Volumes["snapshot"]>[1],
  ): ReturnType<Volumes["snapshot"]> {
    refuseElsewhere(this.get(name), "copy them");
    await using volume = await this.read({ name });
    // What is written already need not be waited for while its writers stand still.
    await syncDirectory(volume.path);
    using from = openDirectory(volume.path);
    // No other holder comes meanwhile.
    const alone = (copy: () => Promise<number>) => this.#locks.run(name, () => holding(copy));
    return await this.#snapshots.create(this.#origin(name), tag, (directory) =>
      copyHolding(directory, from, { holding: alone, signal }),
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
    signal?: AbortSignal,
  ): Promise<{ readonly copied: number }> {
    await using snapshot = await this.read({ name, snapshot: tag });
    using from = openDirectory(snapshot.path);
    const make = (directory: string) => copyInto(directory, from, signal);
    return { copied: await this.#contents.exchange(this.get(name), make, true) };
  }

  async #removeOrLog(name: string): Promise<void> {
    try {
      await this.remove(name);
    } catch (error) {
      const reason = faultOf(error).message;
      this.#log.error("a volume that was made for nothing could not be removed", { name, reason });
    }
  }

  async hold(name: string, holder: string): Promise<string> {
    const path = await this.#hold(name, holder);
    this.#store.used(name, this.#clock.now());
    return path;
  }

  async #hold(name: string, holder: string): Promise<string> {
    const volume = this.get(name);
    this.#holders.add(name, holder);
    try {
      const isOurs = volume.driver === "local";
      return await (isOurs ? this.#ready(volume) : this.#foreign.hold(volume, holder));
    } catch (error) {
      this.#holders.remove(name, holder);
      throw error;
    }
  }

  /** The directory of a local volume, with the mount that its options ask for. */
  async #ready(volume: Volume): Promise<string> {
    const { name, path } = volume;
    await this.#locks.run(name, async () => {
      this.#places.make(name);
      if (!isMount(volume) || mountsBelow(path).includes(path)) return;
      await mountDevice(volume);
      crashPoint("volume:mounted");
    });
    return path;
  }

  async lend(name: string, borrower: string): Promise<string> {
    const { driver } = this.get(name);
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
    this.#holders.add(name, holder);
  }

  isHeld(name: string, holder: string): boolean {
    return this.#holders.has(name, holder);
  }

  async release(name: string, holder: string): Promise<void> {
    if (!this.#holders.remove(name, holder)) return;
    const volume = this.find(name);
    if (volume && volume.driver !== "local") await this.#foreign.release(volume, holder);
    else if (volume) await this.#undoMount(volume);
  }

  async settle(): Promise<void> {
    this.#foreign.settle();
    for (const target of mountsBelow(this.#directory)) {
      const volume = this.find(basename(dirname(target)));
      if (volume?.path === target) await this.#undoMount(volume);
    }
  }

  /**
   * Undoes a mount of the volume's own once it has no holder. Containers that still end keep
   * theirs.
   */
  async #undoMount(volume: Volume): Promise<void> {
    if (volume.driver !== "local" || !isMount(volume)) return;
    await this.#locks.run(volume.name, async () => {
      if (!this.#holders.isEmpty(volume.name)) return;
      for (const target of mountsBelow(volume.path))
        if (target === volume.path) await unmount(target, { detach: true });
    });
  }

  async fill(name: string, from: Fd): Promise<boolean> {
    const volume = this.get(name);
    if (volume.driver !== "local") return await this.#foreign.fill(volume, from);
    return await this.#contents.fill(volume, from);
  }

  mayFill(name: string): boolean {
    const volume = this.get(name);
    return isMount(volume) || !existsSync(volume.path) || readdirSync(volume.path).length === 0;
  }

  async replace(
    request: VolumeRequest & { readonly name: string },
    { replaces, make }: Parameters<Volumes["replace"]>[1],
  ): ReturnType<Volumes["replace"]> {
    const { name } = request;
    const claimant = newId();
    try {
      const { volume, made } = this.create(request, claimant);
      refuseElsewhere(volume, "write them");
      this.#places.make(name);
      await this.#contents.exchange(volume, make, replaces);
      this.#store.keepForGood(name);
      return { volume, made };
    } finally {
      await this.unclaim(claimant);
    }
  }

  async size(name: string): Promise<number> {
    const { driver, path } = this.get(name);
    return driver === "local" ? (await diskUsage(path)).bytes : 0;
  }

  quota(name: string): ProjectQuota | undefined {
    const { driver, options, path } = this.get(name);
    return driver !== "local" || sizeOf(options) === undefined ? undefined : limitOf(path);
  }

  drained(): Promise<void> {
    return this.#removed.drained();
  }

  /** Field by field, since lists may have thousands of them. */
  #view(stored: StoredVolume): Volume {
    return {
      name: stored.name,
      driver: stored.driver,
      options: stored.options,
      labels: stored.labels,
      createdAt: stored.createdAt,
      anonymous: stored.anonymous,
      owner: stored.owner,
      lastUsed: stored.lastUsed,
      path:
        stored.driver === "local"
          ? this.#places.data(stored.name)
          : (this.#mounts.placeOf(stored.name) ?? ""),
    };
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

/** Told from containers, whose ids have no colon. */
const loanOf = (borrower: string) => `loan:${borrower}`;
