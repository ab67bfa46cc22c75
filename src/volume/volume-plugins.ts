import { isAbsolute } from "node:path";
import { Fault, faultOf, isFault } from "#base";
import type { PluginCall } from "./plugin-client.ts";
import {
  dockersPlaces,
  findPlugin,
  type PluginAddress,
  type PluginPlaces,
  pluginNames,
} from "./plugin-discovery.ts";

/** A volume as its plugin tells of it. */
export interface PluginVolume {
  readonly name: string;
  /** Where it is mounted; "" while it is not. */
  readonly mountpoint: string;
  /** As the plugin writes it; undefined when it says nothing. */
  readonly createdAt: string | undefined;
  readonly status: Readonly<Record<string, unknown>> | undefined;
}

/** How many milliseconds a plugin has, as Docker's engine gives it. */
export interface Patience {
  /** To make, mount and unmount a volume. */
  readonly long: number;
  /** To answer a question. */
  readonly short: number;
  /** While others wait for a list. */
  readonly list: number;
}

const dockersPatience: Patience = { long: 120_000, short: 60_000, list: 5_000 };

/** Which plugins there are, and how long they are waited for. */
export interface PluginOptions {
  readonly places?: PluginPlaces;
  readonly patience?: Patience;
  /** The id of this engine: a plugin that is this engine itself is none to it. */
  readonly self?: string;
}

type Answer = Readonly<Record<string, unknown>>;

/**
 * The drivers of volumes that plugins are, in version 1 of Docker's plugin protocol
 * (docs.docker.com/engine/extend/plugins_volume). A plugin is looked for, and asked what it is, when
 * it is needed; each call ends within a bounded time. Faults as of `callPlugin`, and `not_found` for a
 * driver that there is not.
 */
export class VolumePlugins {
  readonly #places: PluginPlaces;
  readonly #patience: Patience;
  readonly #self: string | undefined;
  /** By name, those that said they are drivers of volumes, with the place where they did. */
  readonly #active = new Map<string, string>();
  readonly #scopes = new Map<string, "local" | "global">();

  constructor(options: PluginOptions = {}) {
    const { places = dockersPlaces, patience = dockersPatience, self } = options;
    this.#self = self;
    this.#places = places;
    this.#patience = patience;
  }

  /** The names of all plugins, for lists; some may be no drivers of volumes. */
  names(): readonly string[] {
    return pluginNames(this.#places);
  }

  async create(driver: string, name: string, options: Answer): Promise<void> {
    await this.#long(driver, "Create", { Name: name, Opts: options });
  }

  async remove(driver: string, name: string): Promise<void> {
    await this.#long(driver, "Remove", { Name: name });
  }

  /** Gives the directory of the host that shows the volume's files. */
  async mount(driver: string, name: string, id: string): Promise<string> {
    const { Mountpoint: place } = await this.#long(driver, "Mount", { Name: name, ID: id });
    if (typeof place === "string" && isAbsolute(place) && !place.includes("\0")) return place;
    throw wrong(driver, "Mount", `the mountpoint ${JSON.stringify(place)}, which is no path`);
  }

  async unmount(driver: string, name: string, id: string): Promise<void> {
    await this.#long(driver, "Unmount", { Name: name, ID: id });
  }

  /** The volume; undefined when the plugin says that it has none of that name. */
  async find(driver: string, name: string, patience = this.#patience.short) {
    try {
      const { Volume: volume } = await this.#ask(
        driver,
        { method: "Get", patience },
        { Name: name },
      );
      return volumeOf(driver, volume, name);
    } catch (error) {
      if (isFault(error, "conflict")) return undefined;
      throw error;
    }
  }

  async list(driver: string): Promise<readonly PluginVolume[]> {
    const patience = this.#patience.list;
    const { Volumes: volumes } = await this.#ask(driver, { method: "List", patience }, {});
    if (volumes === null || volumes === undefined) return [];
    if (!Array.isArray(volumes)) throw wrong(driver, "List", "volumes that are no list");
    return volumes.map((volume) => volumeOf(driver, volume));
  }

  /** "global" for one whose volumes are on every machine of a cluster. */
  async scope(driver: string): Promise<"local" | "global"> {
    const known = this.#scopes.get(driver);
    if (known) return known;
    try {
      const patience = this.#patience.list;
      const answer = await this.#ask(driver, { method: "Capabilities", patience }, {});
      const { Scope } = (answer.Capabilities ?? {}) as { readonly Scope?: unknown };
      const scope = String(Scope).toLowerCase() === "global" ? "global" : "local";
      this.#scopes.set(driver, scope);
      return scope;
    } catch {
      // Plugins that are older than the method have local ones.
      return "local";
    }
  }

  /** Those of the plugins that have a volume of this name, the ones that answer in the time of a list. */
  async owners(name: string): Promise<readonly string[]> {
    const asked = this.names().map(async (driver) => {
      const found = await this.find(driver, name, this.#patience.list).catch(() => undefined);
      return found ? [driver] : [];
    });
    return (await Promise.all(asked)).flat();
  }

  #long(driver: string, method: string, body: object): Promise<Answer> {
    return this.#ask(driver, { method, patience: this.#patience.long }, body);
  }

  async #ask(
    driver: string,
    { method, patience }: Pick<PluginCall, "method" | "patience">,
    body: object,
  ): Promise<Answer> {
    const { callPlugin } = await import("./plugin-client.ts");
    const address = await this.#activate(driver, patience);
    try {
      return await callPlugin(address, { method: `VolumeDriver.${method}`, body, patience });
    } catch (error) {
      // It may be another one when it comes back.
      if (isFault(error, "unavailable")) {
        this.#active.delete(driver);
        this.#scopes.delete(driver);
      }
      throw error;
    }
  }

  /** Finds a plugin, and asks what it is unless that is known. */
  async #activate(driver: string, patience: number): Promise<PluginAddress> {
    const lookingUp = (why: string, cause?: Fault) =>
      new Fault(cause?.code ?? "not_found", `error looking up volume plugin ${driver}: ${why}`, {
        about: driver,
        ...(cause && { cause }),
      });
    try {
      const address = findPlugin(driver, this.#places);
      if (!address) throw lookingUp(`plugin ${JSON.stringify(driver)} not found`);
      const place = JSON.stringify(address);
      if (this.#active.get(driver) === place) return address;
      const { callPlugin } = await import("./plugin-client.ts");
      const call = { method: "Plugin.Activate", body: {}, patience };
      const { Implements: roles, ThimbleEngine: engine } = await callPlugin(address, call);
      if (engine !== undefined && engine === this.#self)
        throw lookingUp(`plugin ${JSON.stringify(driver)} is this engine; use the driver local`);
      if (!Array.isArray(roles) || !roles.includes("VolumeDriver"))
        throw lookingUp(`plugin ${JSON.stringify(driver)} does not implement VolumeDriver`);
      this.#active.set(driver, place);
      return address;
    } catch (error) {
      const fault = faultOf(error);
      throw fault.message.startsWith("error looking up") ? fault : lookingUp(fault.message, fault);
    }
  }
}

function volumeOf(driver: string, value: unknown, asked?: string): PluginVolume {
  const volume = (typeof value === "object" && value ? value : {}) as Answer;
  const { Name: name, Mountpoint: mountpoint, CreatedAt: createdAt, Status: status } = volume;
  if (typeof name !== "string" || name === "" || name.length > 1024 || (asked && name !== asked))
    throw wrong(driver, asked ? "Get" : "List", `a volume of the name ${JSON.stringify(name)}`);
  return {
    name,
    mountpoint: typeof mountpoint === "string" ? mountpoint : "",
    createdAt: typeof createdAt === "string" && createdAt !== "" ? createdAt : undefined,
    status: typeof status === "object" && status ? (status as Answer) : undefined,
  };
}

function wrong(driver: string, method: string, what: string): Fault {
  return new Fault(
    "unavailable",
    `VolumeDriver.${method}: the plugin ${driver} answered with ${what}`,
    { about: driver },
  );
}
