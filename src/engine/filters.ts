import { Fault, suggest } from "#base";
import type { Filters } from "./contract.ts";

/** Faults when a filter is not one of `known`: a mistyped filter must not list everything. */
export function checkFilterKeys(filters: Filters, known: readonly string[]): void {
  for (const key of Object.keys(filters)) {
    if (known.includes(key)) continue;
    const near = suggest(key, known);
    throw new Fault(
      "invalid",
      `invalid filter '${key}'${near ? `; did you mean '${near}'?` : `; known ones are ${known.join(", ")}`}`,
      { about: key },
    );
  }
}

/** Every wanted label ("key" or "key=value") must be there. */
export function matchesLabels(
  labels: Readonly<Record<string, string>>,
  wanted: readonly string[],
): boolean {
  return wanted.every((each) => {
    const equals = each.indexOf("=");
    if (equals < 0) return Object.hasOwn(labels, each);
    return labels[each.slice(0, equals)] === each.slice(equals + 1);
  });
}

/** A filter that takes one truth value ("true", "1", "false", "0"); absent when not given. */
export function booleanFilter(filters: Filters, key: string): boolean | undefined {
  const values = filters[key];
  if (!values || values.length === 0) return undefined;
  if (values.every((value) => value === "true" || value === "1")) return true;
  if (values.every((value) => value === "false" || value === "0")) return false;
  throw new Fault("invalid", `invalid filter '${key}=${values.join(",")}': it takes true or false`);
}

/** `until` of prune: a Go duration back from now, seconds since the epoch, or RFC 3339; in nanoseconds. */
export function untilFilter(filters: Filters, now: bigint): bigint | undefined {
  const values = filters.until;
  if (!values || values.length === 0) return undefined;
  const [value] = values;
  if (values.length > 1 || value === undefined) {
    throw new Fault("invalid", "the filter 'until' can be given once only");
  }
  if (/^\d+(\.\d+)?$/.test(value)) return BigInt(Math.floor(Number(value) * 1e9));
  const duration = parseDuration(value);
  if (duration !== undefined) return now - duration;
  const time = Date.parse(value);
  if (!Number.isNaN(time)) return BigInt(time) * 1_000_000n;
  throw new Fault(
    "invalid",
    `invalid filter 'until=${value}': give a duration as 10m or 1h30m, or a time as 2026-01-02T15:04:05Z`,
    { about: value },
  );
}

/** Go's durations ("1h30m", "1.5s") in nanoseconds; undefined for any other text. */
function parseDuration(text: string): bigint | undefined {
  const unit: Record<string, number> = {
    ns: 1,
    us: 1e3,
    µs: 1e3,
    ms: 1e6,
    s: 1e9,
    m: 60e9,
    h: 3600e9,
  };
  if (!/^(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, count, name] of text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)) {
    total += Number(count) * (unit[name ?? ""] ?? 0);
  }
  return Number.isFinite(total) ? BigInt(Math.floor(total)) : undefined;
}
