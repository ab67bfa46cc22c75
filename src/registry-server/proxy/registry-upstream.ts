import { Fault, isFault } from "#base";
import { isDigest, parseReference, type Reference } from "#image";
import type { RegistryClient, Repository } from "#registry-client";
import type { Upstream, UpstreamManifest } from "../registry-server.ts";

/** Which registry has the repositories below a prefix ("" is all). */
export interface UpstreamRoute {
  readonly prefix: string;
  /** "docker.io", "registry.example:5000". */
  readonly host: string;
}

/** The kind of question to the upstream and its outcome, for metrics. */
type UpstreamWatcher = (kind: "manifest" | "blob", outcome: "found" | "missing" | "failed") => void;

interface UpstreamOptions {
  readonly routes: readonly UpstreamRoute[];
  readonly client: RegistryClient;
  /** Seconds for which a tag that was just resolved is not asked about again. */
  readonly tagSeconds: number;
  readonly watch?: UpstreamWatcher;
}

const maxRemembered = 256;

/**
 * "HOST", "http://HOST" or "PREFIX=HOST" as a route, and whether plain http is meant: "docker.io"
 * serves everything from there, "hub=docker.io" the names that begin with it, as
 * "hub/library/debian". `invalid` for anything else.
 */
export function parseUpstream(text: string): UpstreamRoute & { readonly isPlain: boolean } {
  const equals = text.indexOf("=");
  const prefix = equals < 0 ? "" : text.slice(0, equals);
  const [, scheme, written = ""] = /^(https?:\/\/)?([^/]+)\/?$/.exec(text.slice(equals + 1)) ?? [];
  const host = written === "registry-1.docker.io" ? "docker.io" : written;
  try {
    const reference = parseReference(`${host}/${prefix || "a"}/a`);
    if (host !== "" && reference.domain === host) {
      return { prefix, host, isPlain: scheme === "http://" };
    }
  } catch {
    // Told below, in the words of the option.
  }
  throw new Fault(
    "invalid",
    `"${text.slice(0, 300)}" is not a registry to cache: write a host, as docker.io or registry.example:5000, or PREFIX=HOST`,
    { about: text.slice(0, 300) },
  );
}

/**
 * Other registries as the upstream of a cache. A tag is looked up by HEAD, which the
 * limits of Docker Hub do not count; its manifest is fetched only when it is another one
 * than last time.
 */
export function createUpstream(options: UpstreamOptions): Upstream {
  const { client, tagSeconds } = options;
  const routes = options.routes.toSorted((a, b) => b.prefix.length - a.prefix.length);
  const remembered = new Map<string, UpstreamManifest>();
  const watched = async <T>(kind: "manifest" | "blob", ask: () => Promise<T>): Promise<T> => {
    try {
      const found = await ask();
      options.watch?.(kind, "found");
      return found;
    } catch (error) {
      options.watch?.(kind, isFault(error, "not_found") ? "missing" : "failed");
      throw error;
    }
  };
  return {
    tagSeconds,
    manifest: (name, reference, { signal } = {}) =>
      watched("manifest", async () => {
        const repository = find(client, routes, name);
        const digest = isDigest(reference)
          ? reference
          : (await repository.resolve(reference, { signal })).digest;
        const key = `${name}@${digest}`;
        const known = remembered.get(key);
        if (known) return known;
        const { descriptor, bytes } = await repository.manifest(digest, { signal });
        const { mediaType } = descriptor;
        for (const oldest of remembered.keys()) {
          if (remembered.size < maxRemembered) break;
          remembered.delete(oldest);
        }
        // Most are a few kilobytes; the cache itself keeps the large ones.
        const found = { bytes, mediaType, digest: descriptor.digest };
        if (bytes.length <= 64 << 10) remembered.set(key, found);
        return found;
      }),
    blob: (name, digest, { signal } = {}) =>
      watched("blob", async () => {
        const repository = find(client, routes, name);
        const size = await repository.blobSize(digest, { signal });
        if (size === undefined) throw missing(`${name}@${digest}`);
        return { size, stream: repository.blob({ digest, size }, { signal }) };
      }),
  };
}

function find(client: RegistryClient, routes: readonly UpstreamRoute[], name: string): Repository {
  for (const { prefix, host } of routes) {
    const rest =
      prefix === "" ? name : name.startsWith(`${prefix}/`) ? name.slice(prefix.length + 1) : "";
    if (rest !== "") return client.repository(referenceOf(host, rest));
  }
  throw missing(name);
}

function referenceOf(host: string, name: string): Reference {
  try {
    return parseReference(`${host}/${name}`);
  } catch (cause) {
    throw new Fault("not_found", `${host} cannot have a repository ${name}`, {
      about: name,
      cause,
    });
  }
}

function missing(what: string): Fault {
  return new Fault("not_found", `no upstream has ${what}`, { about: what });
}
