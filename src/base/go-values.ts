import { Fault } from "./fault.ts";

/** Go's strconv.ParseBool: its text of the error is Docker's. */
export function parseBool(text: string): boolean {
  if (/^(1|t|T|true|TRUE|True)$/.test(text)) return true;
  if (/^(0|f|F|false|FALSE|False)$/.test(text)) return false;
  throw invalid(`strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`, text);
}

const units: Readonly<Record<string, number>> = {
  ...{ ns: 1e-6, us: 1e-3, µs: 1e-3, μs: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 },
};

/** Go's time.ParseDuration, in milliseconds. */
export function parseDuration(text: string): number {
  const quoted = JSON.stringify(text);
  const [, sign = "", rest = ""] = /^([+-]?)(.*)$/s.exec(text) ?? [];
  if (rest === "0") return 0;
  const parts = [...rest.matchAll(/(\d+\.?\d*|\.\d+)([^\d.]*)/gy)];
  if (rest === "" || parts.map(([part]) => part).join("") !== rest)
    throw invalid(`time: invalid duration ${quoted}`, text);
  let milliseconds = 0;
  for (const [, number, unit = ""] of parts) {
    if (unit === "") throw invalid(`time: missing unit in duration ${quoted}`, text);
    const factor = units[unit];
    if (factor === undefined)
      throw invalid(`time: unknown unit ${JSON.stringify(unit)} in duration ${quoted}`, text);
    milliseconds += Number(number) * factor;
  }
  return sign === "-" ? -milliseconds : milliseconds;
}

function invalid(message: string, text: string): Fault {
  return new Fault("invalid", message, { about: text });
}
