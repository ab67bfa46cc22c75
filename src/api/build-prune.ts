import { defined, Fault, faultOf } from "#base";
import { type CacheRecord, type PruneOptions, parseMoment } from "#engine";
import type { BuildCacheRecord, BuildPruneResponse } from "#wire";
import type { ApiContext } from "./context.ts";
import type { Exchange } from "./exchange.ts";
import { parseWhole, type Query } from "./query.ts";

/** Filters of one value. */
const singleKeys = ["until", "id", "parent", "type", "description", "inuse", "shared", "private"];

/** Filters of any number of values. */
const labelKeys = ["label", "label!"];

/** The limits of what a prune keeps, in bytes; the first is for clients of before API 1.48. */
const limits = ["keep-storage", "reserved-space", "max-used-space", "min-free-space"];

/** POST /build/prune: what the request gets wrong is told before anything goes. */
export async function pruneBuildCache({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const { query } = exchange;
  const known = exchange.has("buildLimits") ? limits : limits.slice(0, 1);
  const [keep, reserved, maxUsed, minFree] = known.map((name) => limitOf(query, name));
  const options: PruneOptions = {
    all: query.flag("all"),
    ...filtersOf(query),
    ...defined({ reserved: reserved || keep, maxUsed, minFree }),
  };
  const builder = await engine.builds.builder();
  const { ids, bytes } = await builder.prune(options);
  const answer: BuildPruneResponse = {
    CachesDeleted: ids.length > 0 ? ids : null,
    SpaceReclaimed: bytes,
  };
  exchange.sendJson(200, answer);
}

/** The build cache in GET /system/df. */
export function cacheRecord(record: CacheRecord): BuildCacheRecord {
  const { id, type, description, inUse, shared, size, created, used, uses } = record;
  return {
    ID: id,
    Type: type,
    Description: description,
    InUse: inUse,
    Shared: shared,
    Size: size,
    CreatedAt: new Date(created).toISOString(),
    LastUsedAt: new Date(used).toISOString(),
    UsageCount: uses,
  };
}

/** Undefined when absent, and when it is 0 as clients send it for none. */
function limitOf(query: Query, name: string): number | undefined {
  const text = query.text(name);
  if (text === undefined) return undefined;
  try {
    return parseWhole(text) || undefined;
  } catch (cause) {
    const why = `${name} is in bytes and expects an integer, got ${text}: ${faultOf(cause).message}`;
    throw new Fault("invalid", why, { about: name, cause });
  }
}

type PruneFilters = Pick<PruneOptions, "until" | "ids" | "type" | "inUse" | "shared">;

function filtersOf(query: Query): PruneFilters {
  const refuse = (why: string) =>
    new Fault("invalid", `failed to prune build cache: ${why}`, { about: "filters" });
  const found = new Map<string, string>();
  for (const [key, values] of Object.entries(query.filters())) {
    if (labelKeys.includes(key)) continue;
    if (!singleKeys.includes(key)) throw refuse(`invalid filter '${key}'`);
    if (values.length > 1) throw refuse("filters expect only one value");
    const [value] = values;
    if (value !== undefined) found.set(key, value);
  }
  const until = found.get("until");
  const id = found.get("id");
  const type = found.get("type");
  return defined({
    until: until === undefined ? undefined : momentOf(until, refuse),
    ids: id === undefined ? undefined : [id.replace(/^~?=?/, "")],
    type: type as PruneOptions["type"],
    inUse: truth(found.get("inuse")),
    shared: truth(found.get("shared")) ?? not(truth(found.get("private"))),
  });
}

const truth = (text: string | undefined) =>
  text === undefined ? undefined : ["", "1", "t", "true"].includes(text.toLowerCase());

const not = (value: boolean | undefined) => (value === undefined ? undefined : !value);

/** Milliseconds since 1970. */
function momentOf(value: string, refuse: (why: string) => Fault): number {
  try {
    return Number(parseMoment(value, BigInt(Date.now()) * 1_000_000n) / 1_000_000n);
  } catch (cause) {
    const why = faultOf(cause).message;
    throw refuse(`"until" filter expects a duration (e.g., '24h') or a timestamp: ${why}`);
  }
}
