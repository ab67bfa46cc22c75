import { join } from "node:path";
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
import { directoryLimit, diskUsage, makePrivateDirectory, type ProjectQuota } from "#kernel";
import type { State } from "#state";
import { Contents } from "./contents.ts";
import type { Volume, VolumeRequest, Volumes } from "./contract.ts";
import { Copies } from "./copies.ts";
import { crashPoint } from "./crash-point.ts";
import { mountsBelow } from "./directory.ts";
import { Holders } from "./holders.ts";
import { requireQuotas, sizeOf } from "./limit.ts";
import { Members } from "./members.ts";
import { Places } from "./places.ts";
import { PluginMounts } from "./plugin-mounts.ts";
import { PluginVolumes } from "./plugin-volumes.ts";
import { RemovedVolumes } from "./removed-volumes.ts";
import { checkDriver, checkName } from "./request.ts";
import { Snapshots } from "./snapshots.ts";
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
  readonly #snapshots: Snapshots;
  readonly #holding = new Members();
  readonly #claims = new Members();
  /** Held per volume while its directory is made ready. */
  readonly #locks = new KeyedLock();
  readonly #mounts: PluginMounts;
  readonly #foreign: PluginVolumes;
  readonly holders: Holders;
  readonly copies: Copies;

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
    const plugins = new VolumePlugins({ self: state.instanceId, ...options.plugins });
    this.#mounts = new PluginMounts({ state, plugins, log });
    this.#foreign = new PluginVolumes({
      ...{ store: this.#store, plugins, mounts: this.#mounts, log },
      ...{ holders: this.#holding, claims: this.#claims, locks: this.#locks },
      newRow: (name, request) => this.#newRow(name, request),
      view: (stored) => this.#view(stored),
    });
    const shared = {
      ...{ store: this.#store, places: this.#places, foreign: this.#foreign, locks: this.#locks },
      get: (name: string) => this.get(name),
    };
    this.holders = new Holders({
      ...{ ...shared, state, clock, directory, members: this.#holding },
      find: (name) => this.find(name),
    });
    this.copies = new Copies({
      ...{ ...shared, snapshots: this.#snapshots, holders: this.holders },
      contents: new Contents({ ...shared, staging, holders: this.#holding }),
      claim: (name, claimant) => this.claim(name, claimant),
      unclaim: (claimant) => this.unclaim(claimant),
      createLocal: (request, claimant) => this.#createLocal(request, claimant),
    });
  }

  async recover(): Promise<void> {
    this.holders.recover();
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

  #createLocal(request: VolumeRequest, claimant: string | undefined) {
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

  async create(request: VolumeRequest, claimant?: string) {
    const { anonymous = !request.name } = request;
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
      if (driver === "local")
        return this.#createLocal({ ...request, name, driver, anonymous }, claimant);
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

  list(drivers?: readonly string[]) {
    return this.#foreign.list(this.known(), drivers);
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

  known(): readonly Volume[] {
    return this.#store.all().map((stored) => this.#view(stored));
  }

  /** The row of a volume without a holder; nothing may be awaited until the row has changed. */
  #unused(verb: "remove" | "rename", name: string): StoredVolume {
    const stored = this.#store.get(name);
    if (!stored) throw new Fault("not_found", `get ${name}: no such volume`, { about: name });
    if (!this.#holding.isEmpty(name) || !this.#claims.isEmpty(name))
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
    await this.holders.undoMount(volume);
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
    await this.holders.undoMount(this.get(name));
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

  async #removeOrLog(name: string): Promise<void> {
    try {
      await this.remove(name);
    } catch (error) {
      const reason = faultOf(error).message;
      this.#log.error("a volume that was made for nothing could not be removed", { name, reason });
    }
  }

  async size(name: string): Promise<number> {
    const { driver, path } = this.get(name);
    return driver === "local" ? (await diskUsage(path)).bytes : 0;
  }

  quota(name: string): ProjectQuota | undefined {
    const { driver, options, path } = this.get(name);
    return driver !== "local" || sizeOf(options) === undefined ? undefined : directoryLimit(path);
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
