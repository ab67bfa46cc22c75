import { defined } from "#base";
import { invalid, parseGoUrl, splitHostPort } from "./go-values.ts";
import type { LogOptions, LogTarget } from "./target.ts";

const [typeKey, levelKey] = ["gelf-compression-type", "gelf-compression-level"] as const;
const [reconnectKey, delayKey] = ["gelf-tcp-max-reconnect", "gelf-tcp-reconnect-delay"] as const;

/** The options of the driver gelf; `invalid`, in Docker's words. */
export function parseGelf(options: LogOptions): LogTarget {
  const text = options["gelf-address"] ?? "";
  if (text === "") throw invalid("gelf-address is a required parameter", "gelf-address");
  const { scheme, host } = parseGoUrl(text);
  if (scheme !== "tcp" && scheme !== "udp")
    throw invalid("gelf: endpoint needs to be TCP or UDP", text);
  const place = splitHostPort(host);
  if (!place) throw invalid("gelf: please provide gelf-address as proto://host:port", text);
  if (scheme === "tcp") {
    if (options[typeKey] !== undefined || options[levelKey] !== undefined)
      throw invalid("compression is only supported on UDP", text);
  } else {
    for (const key of [reconnectKey, delayKey])
      if (options[key] !== undefined) throw invalid(`"${key}" is only valid for TCP`, key);
  }
  positive(options, reconnectKey);
  const seconds = positive(options, delayKey);
  return {
    driver: "gelf",
    endpoints: [{ kind: scheme, ...place }],
    compression: scheme === "tcp" ? "none" : compressionOf(options),
    level: levelOf(options),
    ...defined({ retryWait: seconds === undefined ? undefined : seconds * 1000 }),
  };
}

function positive(options: LogOptions, key: string): number | undefined {
  const text = options[key];
  if (text === undefined) return undefined;
  if (!/^\+?\d{1,9}$/.test(text)) throw invalid(`"${key}" must be a positive integer`, text);
  return Number(text);
}

function compressionOf(options: LogOptions): "gzip" | "zlib" | "none" {
  const text = options[typeKey] ?? "gzip";
  if (text === "gzip" || text === "zlib" || text === "none") return text;
  throw unknownValue(typeKey, text);
}

/** The default is Go's BestSpeed. */
function levelOf(options: LogOptions): number {
  const text = options[levelKey] ?? "1";
  if (/^(-1|\+?\d)$/.test(text)) return Number(text);
  throw unknownValue(levelKey, text);
}

function unknownValue(key: string, text: string) {
  return invalid(`unknown value "${text}" for log opt "${key}" for gelf log driver`, text);
}
