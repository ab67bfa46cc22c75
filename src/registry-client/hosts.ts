import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { Fault } from "#base";
import { isLoopbackHost, unbracket } from "./address.ts";
import type { Capability, Endpoint } from "./endpoint.ts";
import { parseHostsToml } from "./hosts-toml.ts";
import { requireCertificate, type Trust } from "./http-transport.ts";
import { mirrorEndpoints } from "./mirrors.ts";

/** The configuration of registry hosts: where their repositories are found, and how. */
export interface HostDirectory {
  /** Where to find the repositories of a host, in the order to try; the host itself is last. Reads the files each time. */
  endpoints(host: string): Promise<readonly Endpoint[]>;
}

export interface HostDirectoryOptions {
  /** As /etc/containerd/certs.d; the first with an entry for a host counts. Missing ones are skipped. */
  readonly directories: readonly string[];
  /** Hosts ("registry.example:5000") whose certificate is not checked and that may be spoken to in plain http. */
  readonly insecure?: readonly string[] | undefined;
  /** URLs of mirrors of Docker Hub, for when its directory has no hosts.toml. */
  readonly mirrors?: readonly string[] | undefined;
}

/** Where hosts are configured: thimble's own certs.d, then containerd's and Docker's, which may be there already. */
export function hostDirectories(configRoot: string): readonly string[] {
  return [join(configRoot, "certs.d"), "/etc/containerd/certs.d", "/etc/docker/certs.d"];
}

const everything: ReadonlySet<Capability> = new Set(["pull", "resolve", "push"]);
/** Where Docker Hub really is. */
const dockerHub = { name: "docker.io", server: "registry-1.docker.io" };
const maxFileBytes = 1 << 20;

/**
 * The configuration of registry hosts: `HOST[:PORT]/hosts.toml` as containerd reads it
 * (docs/hosts.md; `_default` is for hosts without their own), and Docker's files beside it:
 * `*.crt` are authorities, `NAME.cert` with `NAME.key` is our certificate, for the host itself.
 */
export function openHostDirectory(options: HostDirectoryOptions): HostDirectory {
  return { endpoints: (host) => readEndpoints(options, host) };
}

async function readEndpoints(options: HostDirectoryOptions, host: string): Promise<Endpoint[]> {
  const own = namesOf(host).flatMap((name) => options.directories.map((each) => join(each, name)));
  const all = [...own, ...options.directories.map((each) => join(each, "_default"))];
  const trust = await readCertificates(own);
  const origin = originEndpoint(host, options.insecure ?? [], trust);
  for (const directory of all) {
    const path = join(directory, "hosts.toml");
    const text = await readText(path);
    if (text !== undefined) return parseHostsToml({ path, text, host, origin, readText });
  }
  const { mirrors = [], insecure = [] } = options;
  return host === dockerHub.name ? [...mirrorEndpoints(mirrors, insecure), origin] : [origin];
}

/** Directories of a host; containerd also takes "host_port_", since some file systems have no colon. */
function namesOf(host: string): string[] {
  if (host.includes("/") || host.startsWith(".")) {
    throw new Fault("invalid", `"${host}" is not a registry host`, { about: host });
  }
  const names = [host.replace(/:(\d+)$/, "_$1_"), host];
  return host.includes(":") ? names : [host];
}

function originEndpoint(host: string, insecure: readonly string[], trust: Trust): Endpoint {
  const server = host === dockerHub.name ? dockerHub.server : host;
  const name = unbracket(host.replace(/:\d+$/, ""));
  const isInsecure = insecure.includes(host) || insecure.includes(name);
  const isConfigured = trust.authorities.length > 0 || trust.client !== undefined;
  // As with Docker, this machine needs no certificate; where one is set up it counts.
  const isLenient = isInsecure || (isLoopbackHost(name) && !isConfigured);
  return {
    host,
    base: `https://${server}/v2`,
    capabilities: everything,
    trust: isLenient ? { ...trust, verify: false } : trust,
    headers: [],
    rewrites: [],
    mayBePlain: isLenient,
  };
}

async function readCertificates(directories: readonly string[]): Promise<Trust> {
  const authorities: string[] = [];
  let client: Trust["client"];
  for (const directory of directories) {
    const names = await readdir(directory).catch(() => [] as string[]);
    for (const name of names.toSorted().slice(0, 100)) {
      const path = join(directory, name);
      if (name.endsWith(".crt")) {
        authorities.push(requireCertificate(path, (await readText(path)) ?? ""));
      }
      if (!name.endsWith(".cert") || client) continue;
      const key = await readText(path.replace(/\.cert$/, ".key"));
      if (key === undefined) {
        throw new Fault(
          "invalid",
          `${path} has no key beside it; ${name.slice(0, -5)}.key is needed`,
          {
            about: path,
          },
        );
      }
      client = { certificate: (await readText(path)) ?? "", key };
    }
  }
  return { authorities, verify: true, ...(client ? { client } : {}) };
}

/** A file of the configuration; undefined when it is missing. */
async function readText(path: string): Promise<string | undefined> {
  try {
    const found = await stat(path);
    // A device or a pipe may never end.
    if (!found.isFile()) throw new Fault("invalid", `${path} is not a file`, { about: path });
    if (found.size > maxFileBytes) {
      throw new Fault("exhausted", `${path} is larger than ${maxFileBytes} bytes`, { about: path });
    }
    return await readFile(path, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    if (error instanceof Fault) throw error;
    throw new Fault("invalid", `cannot read ${path}: ${(error as Error).message}`, {
      about: path,
      cause: error,
    });
  }
}
