import { defined, Fault, faultOf } from "#base";
import type { BuildRequest } from "#engine";
import { parsePlatform, parseReference, type Reference, withDefaultTag } from "#image";
import type { Exchange } from "./exchange.ts";
import { jsonSyntaxError } from "./json-syntax.ts";
import { platformOf } from "./platform-query.ts";
import type { Query } from "./query.ts";
import { requestCredentials } from "./registry-auth.ts";

type QueryOptions = Omit<BuildRequest, "dockerfile" | "context" | "report" | "signal"> & {
  /** The names of the image. */
  readonly tags: readonly Reference[];
};

/** The parameters of POST /build, as the classic builder takes them. */
export function buildOptions(exchange: Exchange): QueryOptions {
  const { query } = exchange;
  refuseUnsupported(query);
  const platform = platformOf(exchange);
  const network = query.text("networkmode");
  return {
    tags: query.all("t").filter(Boolean).map(tagOf),
    platforms: platform === undefined ? [] : [parsePlatform(platform)],
    buildArgs: pairsOf(query, "buildargs", "error reading build args"),
    labels: pairsOf(query, "labels", "error reading labels"),
    noCache: query.flag("nocache"),
    pull: query.flag("pull"),
    extraHosts: query
      .all("extrahosts")
      .flatMap((each) => each.split(","))
      .filter(Boolean),
    credentials: requestCredentials(exchange, ""),
    limits: limitsOf(query),
    ...defined({
      target: query.text("target"),
      network: network === "bridge" ? "default" : network,
      epoch: query.epoch,
    }),
  };
}

function refuseUnsupported(query: Query): void {
  const version = query.text("version");
  if (version === "2") {
    throw new Fault("unsupported", "building with BuildKit needs a session", { about: "version" });
  }
  if (version !== undefined && version !== "1") {
    throw new Fault("invalid", `invalid version ${JSON.stringify(version)}`, { about: version });
  }
  if (query.flag("squash")) {
    throw new Fault("invalid", "squash is only supported with experimental mode", {
      about: "squash",
    });
  }
  const isolation = query.text("isolation");
  if (isolation !== undefined && isolation !== "default") {
    throw new Fault("invalid", `unsupported isolation: ${JSON.stringify(isolation)}`, {
      about: isolation,
    });
  }
  parsed(query, "cachefrom", "error reading cache-from");
  const outputs = parsed(query, "outputs", "invalid outputs specified");
  if (Array.isArray(outputs) && outputs.length > 0) {
    throw new Fault("unsupported", "outputs are only supported with BuildKit", {
      about: "outputs",
    });
  }
}

function tagOf(text: string): Reference {
  const reference = withDefaultTag(parseReference(text));
  if (reference.digest === undefined) return reference;
  throw new Fault("invalid", "build tag cannot contain a digest", { about: text });
}

/** JSON of a parameter; `invalid` in the words of Docker's decoder. */
function parsed(query: Query, name: string, what: string): unknown {
  const text = query.text(name);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    throw new Fault("invalid", `${what}: ${jsonSyntaxError(text)}`, { about: name });
  }
}

/** An object of texts; null stands for a name without a value, which is left out. */
function pairsOf(query: Query, name: string, what: string): ReadonlyMap<string, string> {
  const value = parsed(query, name, what) ?? {};
  const refuse = (kind: string) =>
    new Fault(
      "invalid",
      `${what}: json: cannot unmarshal ${kind} into Go value of type map[string]string`,
      { about: name },
    );
  if (typeof value !== "object" || Array.isArray(value)) throw refuse(kindOf(value));
  const pairs = new Map<string, string>();
  for (const [key, each] of Object.entries(value as object) as [string, unknown][]) {
    if (each === null) continue;
    if (typeof each !== "string") throw refuse(kindOf(each));
    pairs.set(key, each);
  }
  return pairs;
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return "array";
  return typeof value === "boolean" ? "bool" : typeof value;
}

function limitsOf(query: Query): NonNullable<BuildRequest["limits"]> {
  const ulimits = parsed(query, "ulimits", "error reading ulimit settings") ?? [];
  if (!Array.isArray(ulimits)) {
    const kind = kindOf(ulimits);
    throw new Fault(
      "invalid",
      `error reading ulimit settings: json: cannot unmarshal ${kind} into Go value of type []*units.Ulimit`,
      { about: "ulimits" },
    );
  }
  return {
    ulimits: ulimits.map(ulimitOf),
    ...defined({
      shmSize: positive(query.whole("shmsize")),
      memory: positive(lenient(query, "memory")),
      memorySwap: lenient(query, "memswap") || undefined,
      cpuShares: positive(lenient(query, "cpushares")),
      cpuPeriod: positive(lenient(query, "cpuperiod")),
      cpuQuota: lenient(query, "cpuquota") || undefined,
      cpusetCpus: query.text("cpusetcpus"),
      cpusetMems: query.text("cpusetmems"),
      cgroupParent: query.text("cgroupparent"),
    }),
  };
}

function ulimitOf(value: unknown): { name: string; soft: number; hard: number } {
  const { Name: name, Soft: soft, Hard: hard } = (value ?? {}) as Record<string, unknown>;
  if (typeof name === "string" && Number.isInteger(soft) && Number.isInteger(hard)) {
    return { name, soft: Number(soft), hard: Number(hard) };
  }
  throw new Fault("invalid", `error reading ulimit settings: ${JSON.stringify(value)}`, {
    about: "ulimits",
  });
}

/** As Docker: what is not a number counts as 0 here. */
function lenient(query: Query, name: string): number | undefined {
  try {
    return query.whole(name);
  } catch (error) {
    if (faultOf(error).code === "invalid") return undefined;
    throw error;
  }
}

const positive = (value: number | undefined) => (value && value > 0 ? value : undefined);
