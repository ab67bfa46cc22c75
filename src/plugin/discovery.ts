import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { defined, Fault, faultOf } from "#base";

/** The directories in which Docker's engine looks for plugins. */
export interface PluginPlaces {
  /** Of sockets, NAME.sock or NAME/NAME.sock. */
  readonly sockets: readonly string[];
  /** Of files that say where a plugin listens, NAME.spec and NAME.json, or the same below NAME. */
  readonly specs: readonly string[];
}

export const dockersPlaces: PluginPlaces = {
  sockets: ["/run/docker/plugins"],
  specs: ["/etc/docker/plugins", "/usr/lib/docker/plugins"],
};

/** Where a plugin listens. */
export interface PluginAddress {
  readonly name: string;
  /** An absolute path for a unix socket. */
  readonly socket?: string;
  readonly host?: string;
  readonly port?: number;
  /** For TLS: the texts of its PEM files. */
  readonly tls?: {
    readonly ca?: string;
    readonly cert?: string;
    readonly key?: string;
    readonly insecure: boolean;
  };
}

const validName = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/;
/** A file that says where a plugin is has a few lines. */
const maxSpec = 64 << 10;

/** The names of all plugins that can be found, whatever they are for. */
export function pluginNames(places: PluginPlaces): readonly string[] {
  const found = new Set<string>();
  const collect = (directory: string, ending: RegExp) => {
    for (const entry of entriesOf(directory)) {
      const name = entry.replace(ending, "");
      if (!validName.test(name)) continue;
      const path = join(directory, entry);
      const isNested = name === entry && entriesOf(path).some((each) => isOf(each, name, ending));
      if (name !== entry || isNested) found.add(name);
    }
  };
  for (const directory of places.sockets) collect(directory, /\.sock$/);
  for (const directory of places.specs) collect(directory, /\.(spec|json)$/);
  return [...found].sort();
}

function isOf(entry: string, name: string, ending: RegExp): boolean {
  return entry !== name && entry.replace(ending, "") === name;
}

function entriesOf(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

/**
 * Where the plugin of a name listens; sockets come first, as in Docker. Undefined when there is none,
 * `invalid` when what says so cannot be understood.
 */
export function findPlugin(name: string, places: PluginPlaces): PluginAddress | undefined {
  if (!validName.test(name)) return undefined;
  for (const directory of places.sockets)
    for (const path of [join(directory, `${name}.sock`), join(directory, name, `${name}.sock`)])
      if (statSync(path, { throwIfNoEntry: false })?.isSocket()) return { name, socket: path };
  for (const directory of places.specs)
    for (const below of [directory, join(directory, name)])
      for (const [ending, read] of [
        ["spec", readSpec],
        ["json", readJson],
      ] as const) {
        const path = join(below, `${name}.${ending}`);
        const stat = statSync(path, { throwIfNoEntry: false });
        if (stat?.isFile() && stat.size <= maxSpec) return understood(name, path, read);
      }
  return undefined;
}

function understood(
  name: string,
  path: string,
  read: (name: string, text: string) => PluginAddress,
): PluginAddress {
  try {
    return read(name, readFileSync(path, "utf8"));
  } catch (cause) {
    const why = faultOf(cause).message;
    throw new Fault("invalid", `cannot understand ${path}, which says where a plugin is: ${why}`, {
      about: path,
      cause,
    });
  }
}

function readSpec(name: string, text: string): PluginAddress {
  return { name, ...listening(text.trim()) };
}

interface Json {
  readonly Name?: unknown;
  readonly Addr?: unknown;
  readonly TLSConfig?: {
    readonly InsecureSkipVerify?: boolean;
    readonly CAFile?: string;
    readonly CertFile?: string;
    readonly KeyFile?: string;
  } | null;
}

/** As in Docker, TLS is spoken with an address of https alone. */
function readJson(name: string, text: string): PluginAddress {
  const { Addr, TLSConfig: config } = JSON.parse(text) as Json;
  const address = typeof Addr === "string" ? Addr : "";
  const where = listening(address);
  const files = [config?.CAFile, config?.CertFile, config?.KeyFile];
  if (!address.startsWith("https:")) {
    if (where.host !== undefined && files.some(Boolean))
      throw new Fault("invalid", `${address} is without TLS; write https:// for its TLSConfig`);
    return { name, ...where };
  }
  if (!config?.CertFile !== !config?.KeyFile)
    throw new Fault("invalid", "CertFile and KeyFile belong together");
  const [ca, cert, key] = files.map((path) => (path ? readFileSync(path, "utf8") : undefined));
  const insecure = config?.InsecureSkipVerify === true;
  return { name, ...where, tls: { insecure, ...defined({ ca, cert, key }) } };
}

/** "unix:///path", "tcp://host:port", "http://host" or "https://host", whose paths mean nothing, as in Docker. */
function listening(address: string): Pick<PluginAddress, "socket" | "host" | "port"> {
  const [, socket] = /^unix:\/\/(\/.+)$/.exec(address) ?? [];
  if (socket) return { socket };
  const [, scheme = "", host, given] =
    /^(tcp|https?):\/\/(\[[^\]]+\]|[^:/]+)(?::(\d+))?(?:\/.*)?$/.exec(address) ?? [];
  const port = Number(given ?? usualPorts[scheme]);
  if (host && port > 0 && port < 65536) return { host: host.replace(/^\[|\]$/g, ""), port };
  throw new Fault(
    "invalid",
    `${JSON.stringify(address)} is no address: write unix:///PATH, tcp://HOST:PORT or https://HOST:PORT`,
  );
}

const usualPorts: Readonly<Record<string, number>> = { http: 80, https: 443 };
