import { readdir } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { Fault, faultOf, isFault, type KeyedLock, type Log, newId } from "#base";
import { copyTree, type Fd, O_DIRECTORY, O_RDONLY, openat2 } from "#kernel";
import type { Volume, VolumeRequest } from "./contract.ts";
import { crashPoint } from "./crash-point.ts";
import type { Members } from "./members.ts";
import type { PluginMounts } from "./plugin-mounts.ts";
import { checkName } from "./request.ts";
import type { PluginVolume, VolumePlugins } from "./volume-plugins.ts";
import type { StoredVolume, VolumeStore } from "./volume-store.ts";

/** What is shared with the volumes of the driver local. */
export interface PluginVolumesParts {
  readonly store: VolumeStore;
  readonly plugins: VolumePlugins;
  readonly mounts: PluginMounts;
  readonly holders: Members;
  readonly claims: Members;
  readonly locks: KeyedLock;
  readonly log: Log;
  readonly newRow: (name: string, request: VolumeRequest) => StoredVolume;
  readonly view: (stored: StoredVolume) => Volume;
}

/** The end of a container waits so many milliseconds for a plugin, which goes on by itself then. */
const unmountPatience = 10_000;

/**
 * The volumes whose driver is a plugin. Their rows are as those of local ones; what a plugin knows
 * beside them is asked of it. All words are Docker's.
 */
export class PluginVolumes {
  readonly #parts: PluginVolumesParts;
  /** Being removed: nobody may come to hold them. */
  readonly #leaving = new Set<string>();

  constructor(parts: PluginVolumesParts) {
    this.#parts = parts;
  }

  /** The driver of a name for which none was asked: a plugin that has such a volume, else local. */
  async driverOf(name: string): Promise<string> {
    const { plugins } = this.#parts;
    if (plugins.names().length === 0) return "local";
    return (await plugins.owners(name))[0] ?? "local";
  }

  /** Has a plugin make a volume, unless it has it already, and remembers it. */
  async provide(
    name: string,
    driver: string,
    request: VolumeRequest,
  ): Promise<{ readonly made: boolean }> {
    const { store, plugins } = this.#parts;
    checkName(name);
    try {
      const isThere = (await plugins.find(driver, name)) !== undefined;
      store.insert(this.#parts.newRow(name, { ...request, driver }), true);
      crashPoint("volume:plugin-recorded");
      if (!isThere) await plugins.create(driver, name, request.options ?? {});
      crashPoint("volume:plugin-made");
      return { made: !isThere };
    } catch (error) {
      if (store.isPending(name)) store.delete(name);
      throw named("create", name, error);
    }
  }

  /** Refuses a volume that is being removed. */
  checkStays(name: string): void {
    if (this.#leaving.has(name))
      throw new Fault("conflict", `get ${name}: volume is being removed`, { about: name });
  }

  async hold({ name, driver }: Volume, holder: string): Promise<string> {
    const { locks, mounts } = this.#parts;
    this.checkStays(name);
    return await locks.run(name, () => mounts.mount({ name, driver, holder }));
  }

  /** The holder is none any more; its end does not wait for a plugin that hangs. */
  async release({ name }: Volume, holder: string): Promise<void> {
    const { locks, mounts } = this.#parts;
    const gaveUp = new AbortController();
    const done = locks.run(name, () => mounts.unmount({ name, holder }));
    const late = delay(unmountPatience, undefined, { signal: gaveUp.signal }).catch(
      () => undefined,
    );
    await Promise.race([done, late]);
    gaveUp.abort();
  }

  /** @param force forgets a volume also when its plugin cannot be asked */
  async remove({ name, driver }: Volume, force: boolean): Promise<void> {
    const { locks, store, plugins, holders, claims } = this.#parts;
    this.#leaving.add(name);
    try {
      await locks.run(name, async () => {
        if (!holders.isEmpty(name) || !claims.isEmpty(name))
          throw new Fault("conflict", `remove ${name}: volume is in use`, { about: name });
        try {
          await plugins.remove(driver, name);
        } catch (error) {
          const isAway = !isFault(error, "conflict");
          const isGone = !isAway && (await plugins.find(driver, name)) === undefined;
          if (!isGone && !(force && isAway)) throw named("remove", name, error);
        }
        store.delete(name);
      });
    } finally {
      this.#leaving.delete(name);
    }
  }

  /** Copies a directory into an empty volume, mounted for that; false when it is not empty. */
  async fill(volume: Volume, from: Fd): Promise<boolean> {
    const holder = newId();
    const place = await this.hold(volume, holder);
    try {
      if ((await readdir(place)).length > 0) return false;
      using to = openat2(undefined, place, { flags: O_RDONLY | O_DIRECTORY });
      await copyTree(from, to);
      return true;
    } finally {
      await this.release(volume, holder);
    }
  }

  /** In the background: asks plugins to let go of what nobody holds any more, as after a crash. */
  settle(): void {
    const { mounts, holders, locks } = this.#parts;
    for (const mount of mounts.all()) {
      if (holders.has(mount.name, mount.holder)) continue;
      void locks.run(mount.name, () => mounts.unmount(mount));
    }
  }

  /** The volume with what its plugin tells of it now; `not_found` when the plugin has it no more. */
  async describe(volume: Volume): Promise<Volume> {
    const { name, driver } = volume;
    try {
      const found = await this.#parts.plugins.find(driver, name);
      if (found) return await this.#described(volume, found);
    } catch (error) {
      const message = `error while checking if volume ${JSON.stringify(name)} exists in driver ${JSON.stringify(driver)}: ${faultOf(error).message}`;
      throw named("get", name, new Fault(faultOf(error).code, message, { cause: error }));
    }
    throw new Fault("not_found", `get ${name}: no such volume`, { about: name });
  }

  /** A volume that only a plugin knows. */
  async find(name: string): Promise<Volume | undefined> {
    const { plugins } = this.#parts;
    const [driver] = await plugins.owners(name);
    return driver === undefined ? undefined : await this.describe(this.#unknown(name, driver));
  }

  /**
   * The known volumes with those that plugins have beside them, and where plugins have theirs. A
   * plugin that does not answer is a warning.
   */
  async list(
    known: readonly Volume[],
    asked?: readonly string[],
  ): Promise<{
    readonly volumes: readonly Volume[];
    readonly warnings: readonly string[];
  }> {
    const { plugins } = this.#parts;
    const used = known.filter(({ driver }) => driver !== "local").map(({ driver }) => driver);
    const drivers = [...new Set([...used, ...plugins.names()])].filter(
      (driver) => !asked || asked.includes(driver),
    );
    if (drivers.length === 0) return { volumes: known, warnings: [] };
    const volumes = new Map(known.map((volume) => [volume.name, volume]));
    const warnings: string[] = [];
    const ask = async (driver: string) => {
      try {
        for (const found of await plugins.list(driver)) {
          const volume = volumes.get(found.name) ?? this.#unknown(found.name, driver);
          if (volume.driver !== driver) continue;
          volumes.set(found.name, await this.#described(volume, found));
        }
      } catch (error) {
        // Perhaps a plugin of another kind.
        if (isFault(error, "not_found") && !used.includes(driver)) return;
        warnings.push(`list volumes of ${driver}: ${faultOf(error).message}`);
      }
    };
    await Promise.all(drivers.map(ask));
    const sorted = [...volumes.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    return { volumes: sorted, warnings: warnings.sort() };
  }

  async #described(volume: Volume, found: PluginVolume): Promise<Volume> {
    const created = Date.parse(found.createdAt ?? "");
    return {
      ...volume,
      path: found.mountpoint,
      createdAt: Number.isNaN(created) ? volume.createdAt : BigInt(created) * 1_000_000n,
      scope: await this.#parts.plugins.scope(volume.driver),
      ...(found.status && { status: found.status }),
    };
  }

  #unknown(name: string, driver: string): Volume {
    const owner = { uid: 0, gid: 0 };
    const row = this.#parts.newRow(name, { name, driver, owner });
    return { ...this.#parts.view(row), createdAt: 0n };
  }
}

function named(verb: string, name: string, error: unknown): Fault {
  const fault = faultOf(error);
  if (fault.message.startsWith(`${verb} ${name}: `)) return fault;
  return new Fault(fault.code, `${verb} ${name}: ${fault.message}`, { about: name, cause: error });
}
