import { Fault } from "#base";

const nanoseconds: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  µs: 1_000n,
  μs: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
  d: 86_400_000_000_000n,
  w: 604_800_000_000_000n,
};

/** Nanoseconds of a text such as "1m30s"; days (d) and weeks (w) are known too. */
export function parseDuration(text: string): bigint {
  const quoted = JSON.stringify(text);
  const sign = text.startsWith("-") ? -1n : 1n;
  let rest = text.replace(/^[-+]/, "");
  if (rest === "0") return 0n;
  if (rest === "") throw new Fault("invalid", `time: invalid duration ${quoted}`);
  let total = 0n;
  while (rest !== "") {
    const [part = "", whole = "", fraction = ""] = /^(\d*)(?:\.(\d*))?/.exec(rest) ?? [];
    if (whole === "" && fraction === "")
      throw new Fault("invalid", `time: invalid duration ${quoted}`);
    rest = rest.slice(part.length);
    const unit = /^[^\d.]+/.exec(rest)?.[0];
    if (unit === undefined) {
      throw new Fault("invalid", `time: missing unit in duration ${quoted}`);
    }
    const size = nanoseconds[unit];
    if (size === undefined) {
      throw new Fault(
        "invalid",
        `time: unknown unit ${JSON.stringify(unit)} in duration ${quoted}`,
      );
    }
    rest = rest.slice(unit.length);
    total += BigInt(whole || "0") * size;
    if (fraction !== "") total += (BigInt(fraction) * size) / 10n ** BigInt(fraction.length);
  }
  return sign * total;
}

/** A number of nanoseconds as Go prints a duration: "1h0m0s", "1.5s", "200ms". */
export function printDuration(value: bigint): string {
  if (value === 0n) return "0s";
  const sign = value < 0n ? "-" : "";
  const size = value < 0n ? -value : value;
  if (size < 1_000n) return `${sign}${size}ns`;
  if (size < 1_000_000n) return `${sign}${decimal(size, 3)}µs`;
  if (size < 1_000_000_000n) return `${sign}${decimal(size, 6)}ms`;
  const minutes = size / 60_000_000_000n;
  const seconds = decimal(size % 60_000_000_000n, 9);
  if (minutes === 0n) return `${sign}${seconds}s`;
  const hours = minutes / 60n;
  return hours === 0n
    ? `${sign}${minutes}m${seconds}s`
    : `${sign}${hours}h${minutes % 60n}m${seconds}s`;
}

function decimal(value: bigint, places: number): string {
  const scale = 10n ** BigInt(places);
  const fraction = String(value % scale)
    .padStart(places, "0")
    .replace(/0+$/, "");
  return fraction === "" ? String(value / scale) : `${value / scale}.${fraction}`;
}
