import { Fault, goPattern, suggest } from "#base";
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

/** Milliseconds of the processor that one pattern may take for all texts of a list, which nothing else is served in. */
const patternBudget = 500;

/**
 * Docker takes a regular expression of Go's that may match anywhere; one that is malformed matches
 * itself alone. `invalid` for one that tries without end, as (a+)+$ does: Docker's do not go back.
 * The budget is in milliseconds of the processor, of which a busy machine takes none.
 */
export function textTest(
  value: string,
  { budget = patternBudget }: { readonly budget?: number } = {},
): (text: string) => boolean {
  let pattern: RegExp;
  try {
    pattern = goPattern(value.slice(0, 256));
  } catch {
    return (text) => text === value;
  }
  let left = budget;
  return (text) => {
    if (left <= 0)
      throw new Fault("invalid", `invalid filter: the pattern ${value} takes too long to match`, {
        about: value,
      });
    const begun = process.cpuUsage();
    const isMatch = text === value || pattern.test(text);
    const { user, system } = process.cpuUsage(begun);
    left -= (user + system) / 1000;
    return isMatch;
  };
}

/** A filter that takes one truth value ("true", "1", "false", "0"); absent when not given. */
export function booleanFilter(filters: Filters, key: string): boolean | undefined {
  const values = filters[key];
  if (!values || values.length === 0) return undefined;
  if (values.every((value) => value === "true" || value === "1")) return true;
  if (values.every((value) => value === "false" || value === "0")) return false;
  throw new Fault("invalid", `invalid filter '${key}=[${values.join(" ")}]'`, { about: key });
}

/** `until` of a prune, which is given once: the moment before which something was made; in nanoseconds. */
export function untilFilter(filters: Filters, now: bigint): bigint | undefined {
  const [value, ...more] = filters.until ?? [];
  if (more.length > 0) throw new Fault("invalid", "more than one until filter specified");
  return value === undefined ? undefined : parseMoment(value, now);
}

/**
 * A Go duration back from `now`, seconds since the epoch, or a date with or without a time and a
 * zone (the engine's own where it lacks); nanoseconds since the epoch. `invalid`, in Docker's words.
 */
export function parseMoment(value: string, now: bigint): bigint {
  const duration = parseDuration(value);
  // As in Docker, of whole seconds.
  if (duration !== undefined) return ((now - duration) / 1_000_000_000n) * 1_000_000_000n;
  const seconds = /^(\d{1,12})(?:\.(\d{1,18}))?$/.exec(value);
  if (seconds) return BigInt(`${seconds[1]}${(seconds[2] ?? "").slice(0, 9).padEnd(9, "0")}`);
  const time = parseDate(value);
  if (time !== undefined) return time;
  throw new Fault(
    "invalid",
    `failed to parse value as time or duration: ${JSON.stringify(value)}`,
    {
      about: value,
    },
  );
}

const date = /^(\d{4}-\d\d-\d\d)(?:T(\d\d)(?::(\d\d)(?::(\d\d(?:\.\d+)?))?)?)?(Z|[+-]\d\d:\d\d)?$/;

function parseDate(text: string): bigint | undefined {
  const [, day, hour = "00", minute = "00", second = "00", zone = ""] = date.exec(text) ?? [];
  if (day === undefined) return undefined;
  const time = Date.parse(`${day}T${hour}:${minute}:${second}${zone}`);
  return Number.isNaN(time) ? undefined : BigInt(time) * 1_000_000n;
}

/** Go's durations ("1h30m", "-1.5s") in nanoseconds; undefined for any other text. */
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
  if (!/^[+-]?(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, count, name] of text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)) {
    total += Number(count) * (unit[name ?? ""] ?? 0);
  }
  if (!Number.isFinite(total)) return undefined;
  return BigInt(Math.floor(total)) * (text.startsWith("-") ? -1n : 1n);
}
