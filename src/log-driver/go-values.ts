import { Fault } from "#base";

/** Go's strconv.ParseBool: its text of the error is Docker's. */
export function parseBool(text: string): boolean {
  if (/^(1|t|T|true|TRUE|True)$/.test(text)) return true;
  if (/^(0|f|F|false|FALSE|False)$/.test(text)) return false;
  throw invalid(`strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`, text);
}

/** Go's strconv.ParseUint. */
export function parseUint(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  const reason = /^\d+$/.test(text) ? "value out of range" : "invalid syntax";
  throw invalid(`strconv.ParseUint: parsing ${JSON.stringify(text)}: ${reason}`, text);
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

/** The parts of a URL that name an endpoint. */
export interface GoUrl {
  readonly scheme: string;
  /** With its port. */
  readonly host: string;
  readonly path: string;
}

/** Go's url.Parse, as far as addresses of receivers go. */
export function parseGoUrl(text: string): GoUrl {
  const match = /^([a-zA-Z][a-zA-Z0-9+.-]*):\/\/([^/?#]*)([^?#]*)/.exec(text);
  if (!match) return { scheme: "", host: "", path: text };
  const [, scheme = "", host = "", path = ""] = match;
  const port = /:[^:\]]*$/.exec(host)?.[0] ?? "";
  if (!/^(:\d*)?$/.test(port)) {
    const where = `parse ${JSON.stringify(text)}: invalid port ${JSON.stringify(port)}`;
    throw invalid(`${where} after host`, text);
  }
  return { scheme: scheme.toLowerCase(), host, path };
}

/** Go's net.SplitHostPort; undefined where the port is missing. */
export function splitHostPort(text: string): { host: string; port: number } | undefined {
  const match = /^(?:\[([^\]]*)\]|([^:]*)):(\d*)$/.exec(text);
  if (match && match[3] !== "") {
    const port = Number(match[3]);
    if (port > 65_535)
      throw invalid(
        `invalid port: strconv.ParseUint: parsing "${match[3]}": value out of range`,
        text,
      );
    return { host: match[1] ?? match[2] ?? "", port };
  }
  if (!text.startsWith("[") && text.split(":").length > 2)
    throw invalid(`address ${text}: too many colons in address`, text);
  return undefined;
}

/** A fault in Docker's words. */
export function invalid(message: string, about: string): Fault {
  return new Fault("invalid", message, { about });
}
