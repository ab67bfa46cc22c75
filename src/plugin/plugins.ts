import { isDeepStrictEqual } from "node:util";
import { Fault, isFault } from "#base";
import type { PluginAnswer, PluginCall } from "./call.ts";
import {
  dockersPlaces,
  findPlugin,
  type PluginAddress,
  type PluginPlaces,
  pluginNames,
} from "./discovery.ts";

/** Which plugins there are. */
export interface PluginsOptions {
  /** Absent: where Docker looks for them. */
  readonly places?: PluginPlaces | undefined;
  /** The id of this engine: a plugin that is this engine itself is none to it. */
  readonly self?: string | undefined;
}

/** What a plugin has said of itself, and where it did. */
interface Activation {
  readonly address: PluginAddress;
  readonly roles: readonly unknown[];
}

/** The plugins of a machine, each asked by its name. */
export class Plugins {
  readonly #places: PluginPlaces;
  readonly #self: string | undefined;
  readonly #active = new Map<string, Activation>();

  constructor({ places = dockersPlaces, self }: PluginsOptions = {}) {
    this.#places = places;
    this.#self = self;
  }

  /** The names of all plugins that can be found, whatever they are for. */
  names(): readonly string[] {
    return pluginNames(this.#places);
  }

  /**
   * Finds a plugin and has it say what it is, unless that is known. `not_found` when it is not
   * there, or is nothing of this kind ("VolumeDriver", "authz"); else the faults of `ask`.
   */
  async find(
    name: string,
    role: string,
    how: Pick<PluginCall, "patience" | "reachPatience">,
  ): Promise<PluginAddress> {
    const refuse = (why: string) =>
      new Fault("not_found", `plugin ${JSON.stringify(name)} ${why}`, { about: name });
    const known = this.#active.get(name);
    // One that starts again may have no socket for a moment.
    const address = findPlugin(name, this.#places) ?? (how.reachPatience && known?.address);
    if (!address) throw refuse("not found");
    if (known?.roles.includes(role) && isDeepStrictEqual(known.address, address)) return address;
    const call = { ...how, method: "Plugin.Activate", body: {} };
    const { Implements: roles, ThimbleEngine: engine } = await this.ask(address, call);
    if (engine !== undefined && engine === this.#self)
      throw refuse("is this engine; use the driver local");
    if (!Array.isArray(roles) || !roles.includes(role)) throw refuse(`does not implement ${role}`);
    this.#active.set(name, { address, roles });
    return address;
  }

  /** One call of a plugin that was found; see `callPlugin`. */
  async ask(address: PluginAddress, call: PluginCall): Promise<PluginAnswer> {
    const { callPlugin } = await import("./call.ts");
    try {
      return await callPlugin(address, call);
    } catch (error) {
      // It may be another one when it comes back.
      if (isFault(error, "unavailable")) this.#active.delete(address.name);
      throw error;
    }
  }
}
