import { stat } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { Fault, faultOf, isFault, type Log, newId } from "#base";
import type { State } from "#state";
import type { VolumePlugins } from "./volume-plugins.ts";

const steps = [
  `CREATE TABLE volume_plugin_mount (
     id TEXT PRIMARY KEY,
     name TEXT NOT NULL,
     holder TEXT NOT NULL,
     driver TEXT NOT NULL,
     place TEXT NOT NULL DEFAULT ''
   ) STRICT`,
];

/** A volume of a plugin, for one who has it mounted. */
interface PluginMount {
  /** By which the plugin tells mounts apart. */
  readonly id: string;
  readonly name: string;
  readonly holder: string;
  readonly driver: string;
  /** "" until the plugin has said it, and when it is to let go. */
  readonly place: string;
}

/** A directory that cannot be looked at within this many milliseconds is none. */
const lookPatience = 10_000;

/**
 * What plugins have mounted for this engine. A row is there from before a plugin is asked to mount
 * until it has said that it let go, so that after a crash, or when a plugin was away, it is asked
 * again.
 */
export class PluginMounts {
  readonly #state: State;
  readonly #plugins: VolumePlugins;
  readonly #log: Log;

  constructor(parts: {
    readonly state: State;
    readonly plugins: VolumePlugins;
    readonly log: Log;
  }) {
    this.#state = parts.state;
    this.#plugins = parts.plugins;
    this.#log = parts.log;
    parts.state.migrate("volume-plugin-mount", steps);
  }

  /** Where a volume is mounted; undefined while it is not. */
  placeOf(name: string): string | undefined {
    return this.#of(name).find(({ place }) => place !== "")?.place;
  }

  /** Mounts a volume for a holder, who may have it already, and gives the directory. */
  async mount(wanted: Pick<PluginMount, "name" | "holder" | "driver">): Promise<string> {
    const { name, holder, driver } = wanted;
    const known = this.#of(name).find((each) => each.holder === holder && each.place !== "");
    if (known) return known.place;
    const mount: PluginMount = { id: newId(), name, holder, driver, place: "" };
    this.#state.run(
      "INSERT INTO volume_plugin_mount (id, name, holder, driver) VALUES (?, ?, ?, ?)",
      ...[mount.id, name, holder, driver],
    );
    try {
      const place = await this.#plugins.mount(driver, name, mount.id);
      await checkDirectory(driver, place);
      this.#setPlace(mount, place);
      return place;
    } catch (error) {
      // What did not come in time may still come.
      void this.#unmount(mount);
      const fault = faultOf(error);
      throw new Fault(fault.code, `error while mounting volume '${name}': ${fault.message}`, {
        about: name,
        cause: error,
      });
    }
  }

  /** Has the plugin let go of what a holder has; a failure is logged, and tried again at the next start. */
  async unmount({ name, holder }: Pick<PluginMount, "name" | "holder">): Promise<void> {
    for (const mount of this.#of(name)) if (mount.holder === holder) await this.#unmount(mount);
  }

  async #unmount(mount: PluginMount): Promise<void> {
    const { id, name, driver } = mount;
    try {
      this.#setPlace(mount, "");
      await this.#plugins.unmount(driver, name, id).catch((error) => {
        // It knows of no such mount, as after a restart of its own.
        if (!isFault(error, "conflict")) throw error;
      });
      this.#state.run("DELETE FROM volume_plugin_mount WHERE id = ?", id);
    } catch (error) {
      const reason = faultOf(error).message;
      this.#log.error("a plugin did not let go of a volume", { name, driver, reason });
    }
  }

  #setPlace({ id }: PluginMount, place: string): void {
    this.#state.run("UPDATE volume_plugin_mount SET place = ? WHERE id = ?", place, id);
  }

  #of(name: string): readonly PluginMount[] {
    return this.#state.query("SELECT * FROM volume_plugin_mount WHERE name = ?", name);
  }

  all(): readonly PluginMount[] {
    return this.#state.query("SELECT * FROM volume_plugin_mount");
  }
}

/** Aside of the event loop: the file system behind it may not answer. */
async function checkDirectory(driver: string, place: string): Promise<void> {
  const isDirectory = stat(place).then(
    (found) => found.isDirectory(),
    () => false,
  );
  const gaveUp = new AbortController();
  const late = delay(lookPatience, false, { signal: gaveUp.signal }).catch(() => false);
  const found = await Promise.race([isDirectory, late]);
  gaveUp.abort();
  if (!found)
    throw new Fault(
      "unavailable",
      `VolumeDriver.Mount: the plugin ${driver} answered with the mountpoint ${JSON.stringify(place)}, which is no directory here`,
      { about: driver },
    );
}
