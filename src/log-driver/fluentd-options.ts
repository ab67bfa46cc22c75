import { Fault, parseBool, parseBytes, parseDuration } from "#base";
import { invalid, parseGoUrl, parseUint, splitHostPort } from "./go-values.ts";
import type { Endpoint, LogOptions, LogTarget } from "./target.ts";

const defaultPort = 24_224;
const intervalKey = "fluentd-async-reconnect-interval";
const timeoutKey = "fluentd-write-timeout";

/**
 * The options of the driver fluentd; `invalid`, in Docker's words. The log's files are the buffer
 * and the shipping never gives up, so a buffer limit and a number of tries are checked alone.
 */
export function parseFluentd(options: LogOptions): LogTarget {
  const endpoints = [parseAddress(options["fluentd-address"] ?? "")];
  const limit = options["fluentd-buffer-limit"] ?? "";
  if (limit !== "" && parseBytes(limit) === undefined)
    throw invalid(`invalid size: '${limit}'`, limit);
  const retryWait = parseDuration(options["fluentd-retry-wait"] || "1s");
  parseUint(options["fluentd-max-retries"] || "0");
  parseBool(options["fluentd-async"] || "false");
  const interval = reconnectInterval(options[intervalKey] ?? "");
  return {
    driver: "fluentd",
    endpoints,
    requestAck: parseBool(options["fluentd-request-ack"] || "false"),
    subSecond: parseBool(options["fluentd-sub-second-precision"] || "false"),
    retryWait: interval || retryWait,
    writeTimeout: writeTimeout(options[timeoutKey] ?? ""),
  };
}

function reconnectInterval(text: string): number {
  if (text === "") return 0;
  const interval = within(`invalid value for ${intervalKey}: `, () => parseDuration(text));
  if (interval === 0 || (interval >= 100 && interval <= 10_000)) return interval;
  const range = "must be between 100ms and 10s";
  throw invalid(`invalid value for ${intervalKey}: value ("${text}") ${range}`, text);
}

function writeTimeout(text: string): number {
  if (text === "") return 0;
  const prefix = `invalid value for ${timeoutKey}: value must be a duration`;
  const timeout = within(`${prefix}: `, () => parseDuration(text));
  if (timeout < 0) throw invalid(`${prefix} that is non-negative`, text);
  return timeout;
}

function parseAddress(text: string): Endpoint {
  if (text === "") return { kind: "tcp", host: "127.0.0.1", port: defaultPort };
  return within(`invalid fluentd-address (${text}): `, () => endpointOf(text));
}

function endpointOf(text: string): Endpoint {
  const { scheme, host, path } = parseGoUrl(text.includes("://") ? text : `tcp://${text}`);
  if (scheme === "unix") {
    if (path === "" || path === "/") throw invalid("path is empty", text);
    return { kind: "unix", path };
  }
  if (scheme !== "tcp" && scheme !== "tls") throw invalid(`unsupported scheme: '${scheme}'`, text);
  if (path !== "") throw invalid("should not contain a path element", text);
  const place = splitHostPort(host) ?? { host: host.replace(/:$/, ""), port: defaultPort };
  return { kind: scheme, ...place, host: place.host || "127.0.0.1" };
}

function within<T>(prefix: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    throw invalid(prefix + error.message, error.about ?? "");
  }
}
