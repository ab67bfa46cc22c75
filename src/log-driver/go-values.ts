import { Fault } from "#base";

/** Go's strconv.ParseUint. */
export function parseUint(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  const reason = /^\d+$/.test(text) ? "value out of range" : "invalid syntax";
  throw invalid(`strconv.ParseUint: parsing ${JSON.stringify(text)}: ${reason}`, text);
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
