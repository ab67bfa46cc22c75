import { isAbsolute } from "node:path";
import { Fault, faultOf, isFault } from "#base";
import { type PluginAnswer, type PluginPlaces, Plugins } from "#plugin";

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

/**
 * The drivers of volumes that plugins are, in version 1 of Docker's plugin protocol
 * (docs.docker.com/engine/extend/plugins_volume). A plugin is looked for, and asked what it is, when
 * it is needed; each call ends within a bounded time. Faults as of `callPlugin`, and `not_found` for a
 * driver that there is not.
 */
export class VolumePlugins {
  readonly #plugins: Plugins;
  readonly #patience: Patience;
  readonly #scopes = new Map<string, "local" | "global">();

  constructor({ places, patience = dockersPatience, self }: PluginOptions = {}) {
    this.#plugins = new Plugins({ places, self });
    this.#patience = patience;
  }

  /** The names of all plugins, for lists; some may be no drivers of volumes. */
  names(): readonly string[] {
    return this.#plugins.names();
  }

  async create(driver: string, name: string, options: object): Promise<void> {
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

  #long(driver: string, method: string, body: object): Promise<PluginAnswer> {
    return this.#ask(driver, { method, patience: this.#patience.long }, body);
  }

  async #ask(
    driver: string,
    { method, patience }: { readonly method: string; readonly patience: number },
    body: object,
  ): Promise<PluginAnswer> {
    const address = await this.#plugins
      .find(driver, "VolumeDriver", { patience })
      .catch((cause) => {
        const { code, message } = faultOf(cause);
        const told = `error looking up volume plugin ${driver}: ${message}`;
        throw new Fault(code, told, { about: driver, cause });
      });
    let answer: PluginAnswer;
    try {
      answer = await this.#plugins.ask(address, {
        method: `VolumeDriver.${method}`,
        body,
        patience,
      });
    } catch (error) {
      // It may be another one when it comes back.
      if (isFault(error, "unavailable")) this.#scopes.delete(driver);
      throw error;
    }
    const { Err: refusal } = answer;
    if (typeof refusal !== "string" || refusal === "") return answer;
    throw new Fault("conflict", refusal.slice(0, 4096), { about: driver });
  }
}

function volumeOf(driver: string, value: unknown, asked?: string): PluginVolume {
  const volume = (typeof value === "object" && value ? value : {}) as PluginAnswer;
  const { Name: name, Mountpoint: mountpoint, CreatedAt: createdAt, Status: status } = volume;
  if (typeof name !== "string" || name === "" || name.length > 1024 || (asked && name !== asked))
    throw wrong(driver, asked ? "Get" : "List", `a volume of the name ${JSON.stringify(name)}`);
  return {
    name,
    mountpoint: typeof mountpoint === "string" ? mountpoint : "",
    createdAt: typeof createdAt === "string" && createdAt !== "" ? createdAt : undefined,
    status: typeof status === "object" && status ? (status as PluginAnswer) : undefined,
  };
}

function wrong(driver: string, method: string, what: string): Fault {
  return new Fault(
    "unavailable",
    `VolumeDriver.${method}: the plugin ${driver} answered with ${what}`,
    { about: driver },
  );
}
