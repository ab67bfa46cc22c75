import { dirname, resolve } from "node:path";
import { Fault, suggest } from "#base";
import { JsonCursor } from "#image";
import { isLoopbackHost } from "./address.ts";
import type { Capability, Endpoint } from "./endpoint.ts";
import { requireCertificate, type Trust } from "./http-transport.ts";
import { parseProxy } from "./proxy.ts";

export interface HostsFile {
  readonly path: string;
  readonly text: string;
  /** The host that it configures; for `_default` whichever is asked for. */
  readonly host: string;
  /** The host itself as it would be without the file. */
  readonly origin: Endpoint;
  /** Reads a certificate; undefined when it is missing. */
  readText(path: string): Promise<string | undefined>;
}

const capabilities: readonly Capability[] = ["pull", "resolve", "push"];
const entryKeys = ["capabilities", "ca", "client", "skip_verify", "override_path"];
const tableKeys = ["header", "rewrite", "proxy", "dial_timeout"];
const known = [...entryKeys, ...tableKeys];
const maxHosts = 32;

/**
 * hosts.toml as containerd has it (docs/hosts.md): the hosts in their order, then the
 * server. Ours is `[host."URL".rewrite]`, a table of regular expressions and replacements
 * ("$1") on the repository's path. Faults (`invalid`) name file and key.
 */
export async function parseHostsToml(file: HostsFile): Promise<Endpoint[]> {
  const root = new JsonCursor(file.path, parseToml(file));
  checkKeys(root, ["server", "host", ...known]);
  const hosts = Object.keys(
    root.at("host").optional((c) => c.map(maxHosts, () => undefined)) ?? {},
  );
  const endpoints: Endpoint[] = [];
  for (const url of hosts) {
    const entry = root.at("host").at(url);
    checkKeys(entry, known);
    endpoints.push(await readEntry(file, entry, url));
  }
  const server = root.at("server").optional((c) => c.string(2048));
  const isPlainRoot = known.every((key) => root.at(key).absent);
  if (server === undefined && isPlainRoot) return [...endpoints, file.origin];
  return [...endpoints, await readEntry(file, root, server)];
}

function parseToml({ path, text }: HostsFile): unknown {
  try {
    return Bun.TOML.parse(text);
  } catch (error) {
    throw new Fault("invalid", `${path}: ${(error as Error).message}`, {
      about: path,
      cause: error,
    });
  }
}

function checkKeys(entry: JsonCursor, allowed: readonly string[]): void {
  for (const key of Object.keys(entry.object())) {
    if (allowed.includes(key)) continue;
    const near = suggest(key, allowed);
    entry.fail(`has no setting "${key}"${near ? `; did you mean ${near}?` : ""}`);
  }
}

/** `url` undefined is the origin with other settings. */
async function readEntry(
  file: HostsFile,
  entry: JsonCursor,
  url: string | undefined,
): Promise<Endpoint> {
  const { origin } = file;
  const override = entry.at("override_path").optional((c) => c.boolean()) ?? false;
  const target = url === undefined ? undefined : parseTarget(entry, url, override);
  const isOrigin = target === undefined || target.base === origin.base;
  return {
    host: isOrigin ? origin.host : target.host,
    base: target?.base ?? origin.base,
    capabilities: readCapabilities(entry),
    trust: await readTrust(file, entry, isOrigin ? origin.trust : undefined),
    headers: readHeaders(entry),
    rewrites: readRewrites(entry),
    namespace: isOrigin ? undefined : file.host,
    mayBePlain: url === undefined ? origin.mayBePlain : false,
    proxy: entry.at("proxy").optional((c) => c.as((text) => parseProxy(text).href)),
    connectTimeout: entry.at("dial_timeout").optional((c) => c.as(parseDuration)),
  };
}

/** Without a scheme https is meant, on this machine http, as in containerd. */
function parseTarget(
  entry: JsonCursor,
  text: string,
  override: boolean,
): { host: string; base: string } {
  const bare = text.replace(/[:/].*$/, "");
  const full = text.includes("://") ? text : `${isLoopbackHost(bare) ? "http" : "https"}://${text}`;
  const url = URL.canParse(full) ? new URL(full) : entry.fail(`"${text}" is not a URL`);
  if (!/^https?:$/.test(url.protocol)) entry.fail(`"${text}" must be an http:// or https:// URL`);
  if (url.username !== "" || url.search !== "" || url.hash !== "") {
    entry.fail(
      `"${url.protocol}//${url.host}" must have neither a user, nor a query, nor a fragment`,
    );
  }
  const path = url.pathname.replace(/\/+$/, "");
  const root = override || path.endsWith("/v2") ? path : `${path}/v2`;
  return { host: url.host, base: `${url.protocol}//${url.host}${root}` };
}

function readCapabilities(entry: JsonCursor): ReadonlySet<Capability> {
  const list = entry.at("capabilities").optional((cursor) =>
    cursor.list(20, (each) => {
      const name = each.string(50);
      const found = capabilities.find((known) => known === name);
      // Newer than we are, as "referrers": it takes nothing away.
      return (
        found ??
        (name === "referrers" ? "pull" : each.fail(`is "${name}", which is not a capability`))
      );
    }),
  );
  return new Set(list ?? capabilities);
}

async function readTrust(
  file: HostsFile,
  entry: JsonCursor,
  inherited: Trust | undefined,
): Promise<Trust> {
  const read = async (cursor: JsonCursor, path: string): Promise<string> => {
    const full = resolve(dirname(file.path), path);
    return (await file.readText(full)) ?? cursor.fail(`names ${full}, which does not exist`);
  };
  const authorities: string[] = [...(inherited?.authorities ?? [])];
  for (const path of entry.at("ca").optional(oneOrMore) ?? []) {
    const text = await read(entry.at("ca"), path);
    authorities.push(requireCertificate(resolve(dirname(file.path), path), text));
  }
  const skip = entry.at("skip_verify").optional((c) => c.boolean());
  const pair = entry.at("client").optional(clientPair);
  const client = pair && {
    certificate: await read(entry.at("client"), pair[0]),
    key: await read(entry.at("client"), pair[1]),
  };
  return {
    authorities,
    verify: skip === undefined ? (inherited?.verify ?? true) : !skip,
    ...(client || inherited?.client ? { client: client ?? inherited?.client } : {}),
  } as Trust;
}

function oneOrMore(cursor: JsonCursor): string[] {
  if (typeof cursor.value === "string") return [cursor.value];
  return cursor.list(100, (each) => each.string(4096));
}

/** A path, a list of paths or of pairs; the first counts. A file alone holds certificate and key. */
function clientPair(cursor: JsonCursor): readonly [certificate: string, key: string] | undefined {
  if (typeof cursor.value === "string") return [cursor.value, cursor.value];
  const pairs = cursor.list(10, (each): [string, string] => {
    if (typeof each.value === "string") return [each.value, each.value];
    const [certificate = "", key = ""] = each.list(2, (part) => part.string(4096));
    return [certificate, key || certificate];
  });
  return pairs[0];
}

function readHeaders(entry: JsonCursor): (readonly [string, string])[] {
  const table = entry.at("header").optional((c) => c.map(100, oneOrMore)) ?? {};
  const headers = Object.entries(table).flatMap(([name, values]) =>
    values.map((value) => [name, value] as const),
  );
  for (const [name, value] of headers) {
    if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name) || /[^\t\x20-\x7e\x80-\xff]/.test(value)) {
      entry.at("header").fail(`"${name}" is not a header that HTTP allows`);
    }
  }
  return headers;
}

function readRewrites(entry: JsonCursor): Endpoint["rewrites"] {
  const table = entry.at("rewrite").optional((c) => c.map(100, (each) => each.string(2048))) ?? {};
  return Object.entries(table).map(([expression, replacement]) => {
    try {
      return { pattern: new RegExp(expression), replacement };
    } catch (error) {
      return entry.at("rewrite").fail(`"${expression}": ${(error as Error).message}`);
    }
  });
}

function parseDuration(text: string): number {
  const [, amount, unit] = /^(\d{1,6}(?:\.\d+)?)(ms|s|m)$/.exec(text) ?? [];
  if (amount === undefined)
    throw new Error(`"${text}" is not a duration: write it as 500ms, 5s or 1m`);
  return Number(amount) * (unit === "ms" ? 1 : unit === "m" ? 60_000 : 1000);
}
