import { DockerfileFault, quote } from "./fault.ts";
import { parseFlags } from "./flags.ts";
import type { Healthcheck } from "./instruction.ts";
import type { Statement } from "./statement.ts";

/** Docker takes no shorter time for a check, in nanoseconds. */
const shortest = 1e6;

const units = new Map([
  ["ns", 1],
  ["us", 1e3],
  ["µs", 1e3],
  ["μs", 1e3],
  ["ms", 1e6],
  ["s", 1e9],
  ["m", 60e9],
  ["h", 3600e9],
]);

/** HEALTHCHECK NONE, or HEALTHCHECK [--interval= ...] CMD. */
export function parseHealthcheck({ arguments: given, flags }: Statement): Healthcheck {
  if (given.form !== "check") {
    throw new DockerfileFault("HEALTHCHECK requires at least one argument");
  }
  const type = given.type.toUpperCase();
  if (type === "NONE") {
    if (given.words.length > 0) throw new DockerfileFault("HEALTHCHECK NONE takes no arguments");
    return { test: ["NONE"] };
  }
  const values = parseFlags(flags, {
    interval: "text",
    timeout: "text",
    "start-period": "text",
    "start-interval": "text",
    retries: "text",
  });
  if (type !== "CMD") {
    throw new DockerfileFault(`Unknown type ${quote(type)} in HEALTHCHECK (try CMD)`);
  }
  if (given.words.length === 0) throw new DockerfileFault("Missing command after HEALTHCHECK CMD");
  return {
    test: [given.isJson ? "CMD" : "CMD-SHELL", ...given.words],
    interval: parseTime("interval", values.interval),
    timeout: parseTime("timeout", values.timeout),
    startPeriod: parseTime("start-period", values["start-period"]),
    startInterval: parseTime("start-interval", values["start-interval"]),
    retries: parseRetries(values.retries),
  };
}

function parseTime(name: string, text = ""): number {
  if (text === "") return 0;
  const time = parseDuration(text);
  if (time !== 0 && time < shortest) {
    throw new DockerfileFault(`Interval ${quote(name)} cannot be less than 1ms`);
  }
  return time;
}

/** A duration in the grammar and with the faults of Go's time.ParseDuration, in nanoseconds. */
function parseDuration(text: string): number {
  if (/^[-+]?0$/.test(text)) return 0;
  const invalid = () => new DockerfileFault(`time: invalid duration ${quote(text)}`);
  const [sign = ""] = /^[-+]?/.exec(text) ?? [];
  let total = 0;
  let at = sign.length;
  if (at === text.length) throw invalid();
  while (at < text.length) {
    const part = /(\d*(?:\.\d*)?)([^\d.]*)/y;
    part.lastIndex = at;
    const [whole = "", number = "", unit = ""] = part.exec(text) ?? [];
    if (!/\d/.test(number)) throw invalid();
    if (unit === "") {
      throw new DockerfileFault(`time: missing unit in duration ${quote(text)}`);
    }
    const size = units.get(unit);
    if (size === undefined) {
      throw new DockerfileFault(`time: unknown unit ${quote(unit)} in duration ${quote(text)}`);
    }
    total += Number(number) * size;
    at += whole.length;
  }
  if (total >= 2 ** 63) throw invalid();
  return Math.trunc(sign === "-" ? -total : total);
}

function parseRetries(text = ""): number {
  if (text === "") return 0;
  const retries = Number(text);
  if (!/^[-+]?\d+$/.test(text)) {
    throw new DockerfileFault(`strconv.ParseInt: parsing ${quote(text)}: invalid syntax`);
  }
  if (Math.abs(retries) > 0x7fffffff) {
    throw new DockerfileFault(`strconv.ParseInt: parsing ${quote(text)}: value out of range`);
  }
  if (retries < 0) throw new DockerfileFault(`--retries cannot be negative (${retries})`);
  return retries;
}
