import { Fault, faultOf } from "#base";
import { parseMoment } from "#engine";
import type { Exchange } from "./exchange.ts";
import { parseWhole, type Query } from "./query.ts";

/** Filters of one value. */
const singleKeys = ["until", "id", "parent", "type", "description", "inuse", "shared", "private"];

/** Filters of any number of values. */
const labelKeys = ["label", "label!"];

/** The limits of what a prune keeps, in bytes; the first is for clients of before API 1.48. */
const limits = ["keep-storage", "reserved-space", "max-used-space", "min-free-space"];

/**
 * POST /build/prune of an engine whose build cache is empty: what the request gets wrong is told, and
 * nothing is left to prune.
 */
export function pruneBuildCache(exchange: Exchange): void {
  const { query } = exchange;
  for (const name of exchange.has("buildLimits") ? limits : limits.slice(0, 1))
    checkLimit(query, name);
  checkFilters(query);
  exchange.sendJson(200, { CachesDeleted: null, SpaceReclaimed: 0 });
}

function checkLimit(query: Query, name: string): void {
  const text = query.text(name);
  if (text === undefined) return;
  try {
    parseWhole(text);
  } catch (cause) {
    const why = `${name} is in bytes and expects an integer, got ${text}: ${faultOf(cause).message}`;
    throw new Fault("invalid", why, { about: name, cause });
  }
}

function checkFilters(query: Query): void {
  const refuse = (why: string) =>
    new Fault("invalid", `failed to prune build cache: ${why}`, { about: "filters" });
  for (const [key, values] of Object.entries(query.filters())) {
    if (labelKeys.includes(key)) continue;
    if (!singleKeys.includes(key)) throw refuse(`invalid filter '${key}'`);
    if (values.length > 1) throw refuse("filters expect only one value");
    if (key === "until") for (const value of values) checkUntil(value, refuse);
  }
}

function checkUntil(value: string, refuse: (why: string) => Fault): void {
  try {
    parseMoment(value, BigInt(Date.now()) * 1_000_000n);
  } catch (cause) {
    const why = faultOf(cause).message;
    throw refuse(`"until" filter expects a duration (e.g., '24h') or a timestamp: ${why}`);
  }
}
