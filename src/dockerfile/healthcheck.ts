import { parseDuration } from "#base";
import { DockerfileFault, quote } from "./fault.ts";
import { parseFlags } from "./flags.ts";
import type { Healthcheck } from "./instruction.ts";
import type { Statement } from "./statement.ts";

/** Docker takes no shorter time for a check, in nanoseconds. */
const shortest = 1e6;

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
  const time = Math.round(parseDuration(text) * 1e6);
  if (time !== 0 && time < shortest) {
    throw new DockerfileFault(`Interval ${quote(name)} cannot be less than 1ms`);
  }
  return time;
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
