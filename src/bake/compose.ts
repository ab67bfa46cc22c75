import { posix } from "node:path";
import { Fault, isFault } from "#base";
import { type ComposeModel, isMapping, type Mapping, readCompose } from "./compose-model.ts";
import type { DefinitionFile } from "./definition-file.ts";
import {
  attestText,
  parseAttest,
  parseCache,
  parseOutput,
  parseSecret,
  parseSsh,
  type SecretEntry,
  type SshEntry,
} from "./entries.ts";
import type { Definition, Target, Texts } from "./target.ts";
import { checkTargetName } from "./target-name.ts";

const buildKeys = new Set(
  "context dockerfile dockerfile_inline entitlements args ssh labels cache_from cache_to no_cache no_cache_filter additional_contexts network provenance sbom pull target shm_size extra_hosts isolation privileged secrets tags ulimits platforms".split(
    " ",
  ),
);

function refuse(message: string): never {
  throw new Fault("invalid", message);
}

/** The services of compose files that are built, as targets, and the group "default" of all of them. */
export function composeDefinition(
  files: readonly DefinitionFile[],
  lookUp: (name: string) => string | undefined,
): Definition {
  const model = readCompose(files, lookUp);
  const targets: Target[] = [];
  for (const [service, options] of model.services) {
    const { build } = options;
    if (build === undefined || build === null) continue;
    const name = service.replaceAll(".", "_");
    try {
      checkTargetName(name);
    } catch (error) {
      if (!isFault(error, "invalid")) throw error;
      refuse(`invalid service name ${JSON.stringify(name)}: ${error.message}`);
    }
    const keys = typeof build === "string" ? { context: build } : build;
    if (!isMapping(keys)) refuse(`services.${service}.build must be a string or mapping`);
    targets.push(new ServiceBuild(service, keys, options, model, lookUp).target(name));
  }
  const names = targets.map(({ name }) => name);
  if (model.services.size === 0) return { groups: [], targets };
  return {
    groups: [{ name: "default", targets: names, ...(names.length === 0 && { isUnset: true }) }],
    targets,
  };
}

/** A local path in its shortest form; names of images and URLs as they are. */
function localPath(path: string): string {
  return /^[a-z][a-z0-9+.-]*:/i.test(path) ? path : posix.normalize(path);
}

function shownScalar(value: unknown): string {
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

class ServiceBuild {
  readonly #path: string;
  readonly #keys: Mapping;
  readonly #service: Mapping;
  readonly #model: ComposeModel;
  readonly #lookUp: (name: string) => string | undefined;

  constructor(
    service: string,
    keys: Mapping,
    options: Mapping,
    model: ComposeModel,
    lookUp: (name: string) => string | undefined,
  ) {
    this.#path = `services.${service}.build`;
    this.#keys = keys;
    this.#service = options;
    this.#model = model;
    this.#lookUp = lookUp;
    for (const key of Object.keys(keys)) {
      if (!buildKeys.has(key) && !key.startsWith("x-")) {
        refuse(`${this.#path} additional properties '${key}' not allowed`);
      }
    }
  }

  target(name: string): Target {
    const { image } = this.#service;
    const contexts = this.#contexts();
    const target: Target = { name };
    const set = <K extends keyof Target>(key: K, value: Target[K] | undefined) => {
      const isEmpty =
        value === undefined ||
        value === "" ||
        (Array.isArray(value) && value.length === 0) ||
        (value instanceof Map && value.size === 0);
      if (!isEmpty) target[key] = value;
    };
    set("context", this.#text("context"));
    set("contexts", contexts);
    set("dockerfile", this.#text("dockerfile"));
    set("dockerfileInline", this.#text("dockerfile_inline"));
    set("tags", this.#texts("tags"));
    set("labels", new Map([...this.#map("labels")].map(([key, text]) => [key, text ?? ""])));
    set("args", this.#args());
    set("cacheFrom", this.#texts("cache_from").flatMap(parseCache));
    set("cacheTo", this.#texts("cache_to").flatMap(parseCache));
    set("network", this.#text("network"));
    set("platforms", this.#texts("platforms"));
    set("ssh", this.#ssh());
    set("secrets", this.#secrets());
    set("shmSize", this.#shmSize());
    set("ulimits", this.#ulimits());
    set("extraHosts", this.#hosts());
    set("attest", this.#attest());
    set("entitlements", this.#texts("entitlements"));
    set("target", this.#text("target"));
    if (this.#keys.no_cache === true) target.noCache = true;
    if (this.#keys.pull === true) target.pull = true;
    addExtension(target, this.#keys["x-bake"]);
    if (!target.tags && typeof image === "string") target.tags = [image];
    return target;
  }

  #text(key: string): string | undefined {
    const value = this.#keys[key];
    if (value === undefined || value === null) return undefined;
    return typeof value === "string" ? value : refuse(`${this.#path}.${key} must be a string`);
  }

  #texts(key: string): string[] {
    const value = this.#keys[key];
    if (value === undefined || value === null) return [];
    if (!Array.isArray(value)) refuse(`${this.#path}.${key} must be a array`);
    return value.map(shownScalar);
  }

  /** A mapping, or a list of "KEY=VALUE"; null for a key without a value. */
  #map(key: string, separator = /=/): Texts {
    const value = this.#keys[key];
    const texts: Texts = new Map();
    if (value === undefined || value === null) return texts;
    if (Array.isArray(value)) {
      for (const item of value.map(shownScalar)) {
        const at = item.search(separator);
        if (at < 0) texts.set(item, null);
        else texts.set(item.slice(0, at), item.slice(at + 1));
      }
    } else if (isMapping(value)) {
      for (const [name, item] of Object.entries(value))
        texts.set(name, item === null ? null : shownScalar(item));
    } else refuse(`${this.#path}.${key} must be a mapping`);
    return texts;
  }

  /** Arguments without a value take that of the service's environment, else of the environment; else they go. */
  #args(): Texts {
    const { environment } = this.#service;
    const own = new Map<string, string>();
    if (isMapping(environment)) {
      for (const [name, value] of Object.entries(environment))
        if (value !== null) own.set(name, shownScalar(value));
    } else if (Array.isArray(environment)) {
      for (const [name, value] of environment.map((each) => String(each).split(/=(.*)/s))) {
        if (name !== undefined && value !== undefined) own.set(name, value);
      }
    }
    const args: Texts = new Map();
    for (const [name, value] of this.#map("args")) {
      const resolved = value ?? own.get(name) ?? this.#lookUp(name);
      if (resolved !== undefined) args.set(name, resolved);
    }
    return args;
  }

  #contexts(): Map<string, string> {
    const contexts = new Map<string, string>();
    for (const [name, value] of this.#map("additional_contexts")) {
      const [, linked] = /^(?:service|target):(.*)$/.exec(value ?? "") ?? [];
      contexts.set(
        name,
        linked === undefined ? localPath(value ?? "") : `target:${linked.replaceAll(".", "_")}`,
      );
    }
    return contexts;
  }

  #ssh(): SshEntry[] {
    return [...this.#map("ssh")]
      .map(([id, path]) =>
        path === null || path === "" ? parseSsh(id) : parseSsh(`${id}=${path}`),
      )
      .sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  #secrets(): SecretEntry[] {
    const given = this.#keys.secrets;
    if (given === undefined || given === null) return [];
    if (!Array.isArray(given)) refuse(`${this.#path}.secrets must be a array`);
    return given.map((item: unknown) => {
      const id = isMapping(item) ? shownScalar(item.source ?? "") : shownScalar(item);
      const secret = Object.hasOwn(this.#model.secrets, id) ? this.#model.secrets[id] : undefined;
      if (!isMapping(secret)) return { id, path: "", variable: "" };
      if (secret.external === true)
        refuse(`unsupported external secret ${shownScalar(secret.name ?? "")}`);
      return {
        id,
        path: secret.file === undefined ? "" : localPath(shownScalar(secret.file)),
        variable: secret.environment === undefined ? "" : shownScalar(secret.environment),
      };
    });
  }

  #shmSize(): string | undefined {
    const value = this.#keys.shm_size;
    if (value === undefined || value === null) return undefined;
    const text = shownScalar(value);
    const [, number, unit = ""] = /^(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?$/i.exec(text) ?? [];
    if (number === undefined) refuse(`${this.#path}.shm_size: invalid size: '${text}'`);
    const bytes = Math.floor(Number(number) * 1024 ** " kmgt".indexOf(unit.toLowerCase() || " "));
    return shownSize(bytes);
  }

  #ulimits(): string[] {
    const value = this.#keys.ulimits;
    if (value === undefined || value === null) return [];
    if (!isMapping(value)) refuse(`${this.#path}.ulimits must be a mapping`);
    return Object.entries(value)
      .map(([name, limit]) => {
        const [soft, hard] = isMapping(limit) ? [limit.soft, limit.hard] : [limit, limit];
        return `${name}=${shownScalar(soft)}:${shownScalar(hard)}`;
      })
      .sort();
  }

  #hosts(): Texts {
    const hosts: Texts = new Map();
    for (const [name, value] of this.#map("extra_hosts", /[=:]/)) hosts.set(name, value ?? "");
    return hosts;
  }

  #attest() {
    return (["sbom", "provenance"] as const).flatMap((type) => {
      const value = this.#keys[type];
      return value === undefined || value === null
        ? []
        : [parseAttest(attestText(type, shownScalar(value)))];
    });
  }
}

/** Go's units.BytesSize: four digits and a binary unit. */
function shownSize(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let at = 0;
  while (value >= 1024 && at < units.length - 1) {
    value /= 1024;
    at++;
  }
  return `${Number(value.toPrecision(4))}${units[at]}`;
}

function words(value: unknown): string[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value.map(shownScalar);
  return shownScalar(value)
    .split(/\s+/)
    .filter((word) => word !== "");
}

function distinct(first: readonly string[] | undefined, added: readonly string[]): string[] {
  return [...new Set([...(first ?? []), ...added])];
}

/** What `x-bake` says of a target beyond compose's own keys. */
function addExtension(target: Target, extension: unknown): void {
  if (!isMapping(extension)) return;
  const lists = (key: string, action: (texts: string[]) => void) => {
    const found = words(extension[key]);
    if (found.length > 0) action(found);
  };
  lists("tags", (texts) => {
    target.tags = distinct(target.tags, texts);
  });
  lists("platforms", (texts) => {
    target.platforms = distinct(target.platforms, texts);
  });
  lists("no-cache-filter", (texts) => {
    target.noCacheFilter = distinct(target.noCacheFilter, texts);
  });
  lists("cache-from", (texts) => {
    target.cacheFrom = [...(target.cacheFrom ?? []), ...texts.flatMap(parseCache)];
  });
  lists("cache-to", (texts) => {
    target.cacheTo = [...(target.cacheTo ?? []), ...texts.flatMap(parseCache)];
  });
  lists("secret", (texts) => {
    target.secrets = [...(target.secrets ?? []), ...texts.map(parseSecret)];
  });
  lists("ssh", (texts) => {
    target.ssh = [...(target.ssh ?? []), ...texts.map(parseSsh)].sort((a, b) =>
      a.id < b.id ? -1 : 1,
    );
  });
  lists("output", (texts) => {
    target.outputs = [...(target.outputs ?? []), ...texts.map(parseOutput)];
  });
  if (typeof extension.pull === "boolean") target.pull = extension.pull;
  if (typeof extension["no-cache"] === "boolean") target.noCache = extension["no-cache"];
  const { contexts } = extension;
  if (!isMapping(contexts)) return;
  const own = new Map(target.contexts);
  for (const [name, value] of Object.entries(contexts)) {
    const text = shownScalar(value).replace(
      /^(?:service|target):(.*)$/,
      (_, linked: string) => `target:${linked.replaceAll(".", "_")}`,
    );
    if (!own.has(name)) own.set(name, text);
  }
  target.contexts = own;
}
