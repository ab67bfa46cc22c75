import { Fault } from "#base";
import { parseDuration } from "./flag.ts";

/**
 * A point in time as `--since` and `--until` take it: a duration before now ("42m"), Unix
 * seconds with a fraction, or a date with or without time, fraction and zone. Gives Unix
 * seconds with nine digits of fraction where there are any, as the API takes them.
 */
export function parseTimeFlag(
  text: string | undefined,
  now: number = Date.now(),
): string | undefined {
  if (text === undefined || text === "") return undefined;
  if (/^-?\d+(?:\.\d{1,9})?$/.test(text)) return text;
  const duration = parseDuration(text);
  if (duration !== undefined) {
    const nanoseconds = BigInt(now) * 1_000_000n - BigInt(duration);
    return render(
      nanoseconds / 1_000_000_000n,
      String(nanoseconds % 1_000_000_000n).padStart(9, "0"),
    );
  }
  const match =
    /^(\d{4}-\d\d-\d\d)(?:T(\d\d)(?::(\d\d))?(?::(\d\d)(?:\.(\d{1,9}))?)?)?(Z|[+-]\d\d:\d\d)?$/.exec(
      text,
    );
  if (match) {
    const [, day, hour = "00", minute = "00", second = "00", fraction = "", zone = ""] = match;
    // A date without a zone is local time: so does Date.parse read it when there is a clock.
    const time = Date.parse(`${day}T${hour}:${minute}:${second}${zone}`);
    if (!Number.isNaN(time))
      return render(BigInt(Math.floor(time / 1000)), fraction.padEnd(9, "0"));
  }
  throw new Fault(
    "invalid",
    `"${text}" is not a time: write a date (2026-01-02T13:23:37Z), Unix seconds, or a duration before now (42m)`,
  );
}

function render(seconds: bigint, fraction: string): string {
  return `${seconds}.${fraction}`;
}
