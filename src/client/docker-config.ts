import { type FileHandle, mkdir, open, readFile, realpath, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { defined, Fault } from "#base";
import type { AuthConfig } from "#wire";
import { eraseFromHelper, listHelper, readFromHelper, storeInHelper } from "./credential-helper.ts";

type Env = Readonly<Record<string, string | undefined>>;
type Json = Record<string, unknown>;

/** The key of Docker Hub in config.json, as it has been since its first days. */
const hubKey = "https://index.docker.io/v1/";

const maxConfig = 16 << 20;

/**
 * Docker's config.json, which every tool around it shares: unknown fields stay as they are. It has
 * credentials ("auths"), or names a helper that has them: one for all ("credsStore") or one for a
 * registry ("credHelpers").
 */
export class DockerConfig {
  readonly path: string;
  readonly #env: Env;

  constructor(directory: string, env: Env) {
    this.path = join(directory, "config.json");
    this.#env = env;
  }

  /** The credentials for a registry, from the file or a helper; undefined when both have none. */
  async credentials(registry: string): Promise<AuthConfig | undefined> {
    const config = await this.#read();
    const helper = helperOf(config, registry);
    if (helper !== undefined) return await readFromHelper(helper, configKey(registry), this.#env);
    const auths = objectOf(config.auths);
    const key = Object.keys(auths).find((each) => hostOf(each) === hostOf(registry));
    return key === undefined ? undefined : authOf(objectOf(auths[key]), key);
  }

  /** Keeps credentials; the name of the helper that has them now, or undefined when they stand in the file. */
  async store(registry: string, auth: AuthConfig): Promise<string | undefined> {
    const config = await this.#read();
    const key = configKey(registry);
    const helper = helperOf(config, registry);
    if (helper !== undefined) {
      await storeInHelper(helper, { ...auth, serveraddress: key }, this.#env);
      // An entry without credentials tells other tools that there are some.
      await this.#write({ ...config, auths: { ...objectOf(config.auths), [key]: {} } });
      return helper;
    }
    const { username = "", password = "", identitytoken } = auth;
    const entry = {
      auth: Buffer.from(`${username}:${identitytoken ? "" : password}`).toString("base64"),
      ...defined({ identitytoken: identitytoken || undefined }),
    };
    await this.#write({ ...config, auths: { ...objectOf(config.auths), [key]: entry } });
    return undefined;
  }

  /** Forgets the credentials of a registry, in the file and in its helper. */
  async erase(registry: string): Promise<void> {
    const config = await this.#read();
    const helper = helperOf(config, registry);
    if (helper !== undefined) await eraseFromHelper(helper, configKey(registry), this.#env);
    const auths = objectOf(config.auths);
    const kept = Object.entries(auths).filter(([key]) => hostOf(key) !== hostOf(registry));
    if (kept.length === Object.keys(auths).length) return;
    await this.#write({ ...config, auths: Object.fromEntries(kept) });
  }

  /** The registries that there are credentials for. */
  async registries(): Promise<readonly string[]> {
    const config = await this.#read();
    const store = textOf(config.credsStore);
    const listed = store === undefined ? [] : await listHelper(store, this.#env);
    const helped = Object.keys(objectOf(config.credHelpers));
    return [...new Set([...Object.keys(objectOf(config.auths)), ...listed, ...helped])];
  }

  /** Makes a context the current one; undefined: the default one. */
  async useContext(name: string | undefined): Promise<void> {
    const { currentContext: before, ...rest } = await this.#read();
    if (before === name) return;
    await this.#write({ ...rest, ...defined({ currentContext: name }) });
  }

  async #read(): Promise<Json> {
    let text: string;
    try {
      text = await readFile(this.path, "utf8");
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === "ENOENT") return {};
      throw this.#fault("cannot be read", cause);
    }
    if (text.length > maxConfig) throw this.#fault(`has more than ${maxConfig} bytes`);
    if (text.trim() === "") return {};
    try {
      const value: unknown = JSON.parse(text);
      if (typeof value === "object" && value !== null && !Array.isArray(value))
        return value as Json;
    } catch (cause) {
      throw this.#fault("is not JSON", cause);
    }
    throw this.#fault("is not a JSON object");
  }

  /** The whole file or nothing of it, for its owner alone; a link leads to the file that is written. */
  async #write(config: Json): Promise<void> {
    const target = await realpath(this.path).catch(() => this.path);
    const temporary = `${target}.${process.pid}.tmp`;
    let file: FileHandle | undefined;
    try {
      await mkdir(dirname(target), { recursive: true, mode: 0o700 });
      file = await open(temporary, "wx", 0o600);
      await file.writeFile(JSON.stringify(config, null, "\t"));
      await file.sync();
      await file.close();
      await rename(temporary, target);
    } catch (cause) {
      await file?.close().catch(() => undefined);
      await rm(temporary, { force: true }).catch(() => undefined);
      throw this.#fault("cannot be written", cause);
    }
  }

  #fault(why: string, cause?: unknown): Fault {
    const detail = cause instanceof Error ? `: ${cause.message}` : "";
    return new Fault("invalid", `the configuration ${this.path} ${why}${detail}`, {
      about: this.path,
      cause,
    });
  }
}

/** As config.json names a registry: its host, and Docker Hub by its old address. */
function configKey(registry: string): string {
  return hostOf(registry) === "docker.io" ? hubKey : hostOf(registry);
}

function hostOf(registry: string): string {
  const host = registry.replace(/^https?:\/\//, "").replace(/\/.*$/, "");
  return host === "" || /^(index|registry-1)\.docker\.io$/.test(host) ? "docker.io" : host;
}

function helperOf(config: Json, registry: string): string | undefined {
  const helpers = objectOf(config.credHelpers);
  const key = Object.keys(helpers).find((each) => hostOf(each) === hostOf(registry));
  return textOf(key === undefined ? undefined : helpers[key]) ?? textOf(config.credsStore);
}

function authOf(entry: Json, key: string): AuthConfig | undefined {
  const pair = Buffer.from(textOf(entry.auth) ?? "", "base64").toString();
  const colon = pair.indexOf(":");
  const username = textOf(entry.username) ?? (colon > 0 ? pair.slice(0, colon) : undefined);
  // Some tools end the password with zero bytes.
  const password =
    textOf(entry.password) ?? (colon > 0 ? pair.slice(colon + 1).replace(/\0+$/, "") : undefined);
  const identitytoken = textOf(entry.identitytoken);
  const registrytoken = textOf(entry.registrytoken);
  if (!username && !identitytoken && !registrytoken) return undefined;
  return {
    serveraddress: key,
    ...defined({
      username: username || undefined,
      password: password || undefined,
      identitytoken: identitytoken || undefined,
      registrytoken: registrytoken || undefined,
    }),
  };
}

function objectOf(value: unknown): Json {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Json)
    : {};
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
