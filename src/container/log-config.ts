import { z } from "zod";
import { defined, Fault, goPattern, parseBytes } from "#base";
import { logTarget, shippedDrivers } from "#log-driver";
import type { Sent } from "./description.ts";
import { checkTag } from "./log-tag.ts";

/** HostConfig.LogConfig with its default driver. */
export interface LogConfig {
  readonly Type: string;
  readonly Config: Readonly<Record<string, string>>;
}

/** The driver of a container whose request names none, and its options, until a configuration says otherwise. */
export const defaultLogConfig: LogConfig = { Type: "json-file", Config: {} };

/** Of json-file, where nobody says how large a file may get: in Docker it has no end. */
const cap = { "max-size": "10m", "max-file": "3" };

export interface LogLimits {
  /** Bytes of one file; 0n is unlimited. */
  readonly maxSize: bigint;
  readonly maxFiles: number;
}

/** Options that every driver takes: how the log is fed, and the copy that stays here of one that is shipped. */
const common = [
  ...["mode", "max-buffer-size"],
  ...["cache-disabled", "cache-max-size", "cache-max-file", "cache-compress"],
];

/** Docker's options and defaults of a log's files. */
interface FileDriver {
  readonly options: readonly string[];
  /** Stands before the names of the options that follow. */
  readonly prefix: string;
  readonly size: string;
  readonly files: string;
  readonly compress: string;
}

const rotation = ["max-size", "max-file", "compress"];
const capped = { size: "20m", files: "5", compress: "true" };

const drivers: Readonly<Record<string, FileDriver>> = {
  "json-file": {
    options: [...rotation, "tag", "labels", "labels-regex", "env", "env-regex"],
    ...{ prefix: "", size: "", files: "1", compress: "false" },
  },
  local: { options: rotation, prefix: "", ...capped },
  none: { options: [], prefix: "", size: "", files: "1", compress: "false" },
};

/** Docker's drivers for services of others, which this engine does not have. */
const refused = ["awslogs", "etwlogs", "gcplogs", "splunk"];

/** As `info` lists them. */
export const logDrivers: readonly string[] = [
  ...shippedDrivers.keys(),
  "json-file",
  "local",
].sort();

function driverOf(name: string): FileDriver | undefined {
  const shipped = shippedDrivers.get(name);
  return shipped ? { options: shipped.options, prefix: "cache-", ...capped } : drivers[name];
}

function refuse(message: string, about?: string): never {
  throw new Fault("invalid", message, defined({ about }));
}

/**
 * A request with the defaults of the log, as Docker merges them: a request that names no driver gets
 * the default one, and the default options that it does not set itself if the driver is that one. A log
 * of json-file that nobody has given a size gets one.
 */
export function withLogDefaults(sent: Sent, defaults: LogConfig): Sent {
  const { Type, Config } = sent.HostConfig.LogConfig ?? {};
  const name = Type || defaults.Type;
  const merged = name === defaults.Type ? { ...defaults.Config, ...Config } : { ...Config };
  const isUncapped = name === "json-file" && merged["max-size"] === undefined;
  const options = isUncapped ? { ...cap, ...merged } : merged;
  return {
    ...sent,
    HostConfig: { ...sent.HostConfig, LogConfig: { Type: name, Config: options } },
  };
}

/** `invalid`, in Docker's words, for an unknown driver or option; Docker says some of these only at the start. */
export function checkLogConfig(log: LogConfig): void {
  const { Type: name, Config: options } = log;
  if (name === "none") return;
  checkFeeding(options);
  const driver = driverOf(name) ?? refuseDriver(name);
  shippedDrivers.get(name)?.check?.(options);
  checkCache(options);
  for (const key of Object.keys(options)) {
    if (driver.options.includes(key) || common.includes(key)) continue;
    const where = name === "local" ? "log driver local" : `${name} log driver`;
    refuse(`unknown log opt '${key}' for ${where}`, key);
  }
  checkCompress(options[`${driver.prefix}compress`], logLimits(log));
  for (const key of ["labels-regex", "env-regex"]) checkExpression(options[key]);
  if (options.tag !== undefined) checkTag(options.tag);
}

/** Of json-file: they choose what stands in each line, which the process that writes the log was told once. */
const inEachLine = ["tag", "labels", "labels-regex", "env", "env-regex"];

/** The body of POST /thimble/v1/containers/ID/log-options. */
export const logOptionsSchema = z.object({ LogOptions: z.record(z.string(), z.string()) });

/**
 * The log with other options. `invalid` for options that its driver has not, and for a driver without
 * any; `conflict` for those that a container that runs cannot change.
 */
export function withLogOptions(
  log: LogConfig,
  options: LogConfig["Config"],
  { isRunning }: { readonly isRunning: boolean },
): LogConfig {
  if (log.Type === "none") refuse("the log driver none keeps no log, and has no options");
  const changed = { ...log, Config: { ...log.Config, ...options } };
  checkLogConfig(changed);
  logLimits(changed);
  const fixed = Object.keys(options).find(
    (key) => inEachLine.includes(key) && options[key] !== log.Config[key],
  );
  if (isRunning && log.Type === "json-file" && fixed !== undefined)
    throw new Fault(
      "conflict",
      `the log option ${fixed} is a part of each line and cannot change while the container runs; stop it first`,
      { about: fixed },
    );
  return changed;
}

function refuseDriver(name: string): never {
  if (!refused.includes(name))
    refuse(`error looking up logging plugin ${name}: plugin "${name}" not found`, name);
  throw new Fault(
    "unsupported",
    `thimble does not have the log driver ${name}; it has ${logDrivers.join(", ")} and none`,
    { about: name },
  );
}

/** `max-size` and `max-file`; without a size there is one file, however many are asked for. */
export function logLimits({ Type: name, Config: options }: LogConfig): LogLimits {
  const { prefix, ...defaults } = driverOf(name) ?? (drivers.none as FileDriver);
  const [sizeKey, filesKey] = [`${prefix}max-size`, `${prefix}max-file`];
  const { [sizeKey]: size, [filesKey]: files = defaults.files } = options;
  // Of json-file Docker takes sizes as powers of 1000, of its other drivers as powers of 1024.
  const unit = name === "json-file" ? 1000 : 1024;
  const maxSize = sizeOf(size ?? (defaults.size || "0"), unit);
  if (size !== undefined && maxSize === 0) refuse(`${sizeKey} must be a positive number`, size);
  if (!/^[+-]?\d+$/.test(files)) refuse(`invalid value for ${filesKey}: ${files}`, files);
  if (Number(files) < 1) refuse(`${filesKey} cannot be less than 1`, files);
  if (Number(files) > 1000) refuse(`${filesKey} cannot be greater than 1000`, files);
  return { maxSize: BigInt(maxSize), maxFiles: maxSize === 0 ? 1 : Number(files) };
}

function sizeOf(text: string, unit: 1000 | 1024): number {
  return parseBytes(text, unit) ?? refuse(`invalid size: '${text}'`, text);
}

/**
 * Whether rotated files are compressed: where it is asked for, and by default with the driver local. Those of
 * a log that is shipped stay plain, since they wait to be read.
 */
export function compressesLog(log: LogConfig): boolean {
  if (shippedDrivers.has(log.Type)) return false;
  const { prefix, compress: byDefault } = driverOf(log.Type) ?? (drivers.none as FileDriver);
  return isTrue(log.Config[`${prefix}compress`] ?? byDefault) && logLimits(log).maxFiles > 1;
}

/** Whether `logs` may read what is kept of the log here. */
export function readsLog({ Type: name, Config: options }: LogConfig): boolean {
  if (name === "none") return false;
  return !shippedDrivers.has(name) || !isTrue(options["cache-disabled"] || "false");
}

/** Where the log goes; undefined when it stays here. */
export function logTargetOf({ Type: name, Config: options }: LogConfig) {
  return logTarget(name, options);
}

/** Go's strconv.ParseBool. */
function isTrue(text: string): boolean {
  if (/^(1|t|T|true|TRUE|True)$/.test(text)) return true;
  if (/^(0|f|F|false|FALSE|False)$/.test(text)) return false;
  return refuse(`invalid value for compress: ${text}; give true or false`, text);
}

function checkCompress(text: string | undefined, { maxFiles }: LogLimits): void {
  if (text !== undefined && isTrue(text) && maxFiles < 2)
    refuse("compress cannot be true when max-file is less than 2 or max-size is not set");
}

function checkCache({ "cache-disabled": text = "" }: LogConfig["Config"]): void {
  if (text !== "" && !/^([01tTfF]|true|TRUE|True|false|FALSE|False)$/.test(text))
    refuse(`invalid value for option cache-disabled: ${text}`, text);
}

function checkFeeding({ mode, "max-buffer-size": size }: LogConfig["Config"]): void {
  if (mode !== undefined && !["", "blocking", "non-blocking"].includes(mode))
    refuse(`logger: logging mode not supported: ${mode}`, mode);
  if (size === undefined) return;
  if (mode !== "non-blocking")
    refuse("logger: max-buffer-size option is only supported with 'mode=non-blocking'");
  if (parseBytes(size) === undefined)
    refuse(`error parsing option max-buffer-size: invalid size: '${size}'`, size);
}

function checkExpression(text: string | undefined): void {
  if (text !== undefined) goPattern(text);
}
