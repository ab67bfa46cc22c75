import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { configDirectory } from "./open-docker-config.ts";

type Env = Readonly<Record<string, string | undefined>>;

/** The lists that config.json may have a format of its own for. */
type Listed = "ps" | "images" | "networks" | "volumes" | "stats";

/** What Docker's config.json says about the command line itself; credentials are DockerConfig's. */
export interface CliSettings {
  /** Of `--format`, where that is not given. */
  readonly formats: Readonly<Partial<Record<Listed, string>>>;
  readonly detachKeys: string | undefined;
  /** Sent with each request. */
  readonly headers: Readonly<Record<string, string>>;
  /** Further commands: a word, and the words that it stands for. */
  readonly aliases: Readonly<Record<string, string>>;
  readonly currentContext: string | undefined;
  /** Variables of a new container, for the engine at an address as -H takes it. */
  proxies(host: string): Readonly<Record<string, string>>;
}

const listed: readonly Listed[] = ["ps", "images", "networks", "volumes", "stats"];

const proxyNames: Readonly<Record<string, string>> = {
  httpProxy: "HTTP_PROXY",
  httpsProxy: "HTTPS_PROXY",
  noProxy: "NO_PROXY",
  ftpProxy: "FTP_PROXY",
  allProxy: "ALL_PROXY",
};

/** Reads config.json; a file that is missing or malformed says nothing, since commands that need it tell what is wrong. */
export function readCliSettings(env: Env): CliSettings {
  const config = readConfig(join(configDirectory(env), "config.json"));
  const formats = listed.flatMap((name) => {
    const format = config[`${name}Format`];
    return typeof format === "string" && format !== "" ? [[name, format] as const] : [];
  });
  return {
    formats: Object.fromEntries(formats),
    detachKeys: textOf(config.detachKeys),
    headers: textsOf(config.HttpHeaders),
    aliases: textsOf(config.aliases),
    currentContext: textOf(config.currentContext),
    proxies: (host) => proxiesOf(recordOf(config.proxies), host),
  };
}

/** Each variable in capitals and in small letters, as programs differ in which they read. */
function proxiesOf(
  proxies: Readonly<Record<string, unknown>>,
  host: string,
): Readonly<Record<string, string>> {
  const chosen = textsOf(Object.hasOwn(proxies, host) ? proxies[host] : proxies.default);
  const variables = Object.entries(proxyNames).flatMap(([key, name]) => {
    const value = chosen[key];
    return value === undefined ? [] : [name, name.toLowerCase()].map((each) => [each, value]);
  });
  return Object.fromEntries(variables) as Record<string, string>;
}

function readConfig(path: string): Readonly<Record<string, unknown>> {
  if (!existsSync(path)) return {};
  try {
    return recordOf(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    return {};
  }
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  const isRecord = typeof value === "object" && value !== null && !Array.isArray(value);
  return isRecord ? (value as Readonly<Record<string, unknown>>) : {};
}

/** The entries that are texts, and not empty. */
function textsOf(value: unknown): Readonly<Record<string, string>> {
  const entries = Object.entries(recordOf(value)).filter(([, each]) => textOf(each) !== undefined);
  return Object.fromEntries(entries) as Record<string, string>;
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
