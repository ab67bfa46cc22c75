import { defined, Fault, parseBytes } from "#base";
import { checkTag } from "./log-tag.ts";

/** HostConfig.LogConfig with its default driver. */
export interface LogConfig {
  readonly Type: string;
  readonly Config: Readonly<Record<string, string>>;
}

export interface LogLimits {
  /** Bytes of one file; 0n is unlimited. */
  readonly maxSize: bigint;
  readonly maxFiles: number;
}

/** Options of every driver that writes: how the log is fed. */
const feeding = ["mode", "max-buffer-size"];

/** Docker's options and defaults of each driver. */
const drivers: Readonly<
  Record<
    string,
    {
      readonly options: readonly string[];
      readonly size: string;
      readonly files: string;
      readonly compress?: string;
    }
  >
> = {
  "json-file": {
    options: [
      ...["max-size", "max-file", "compress", "tag", "labels", "labels-regex", "env", "env-regex"],
      ...feeding,
    ],
    size: "",
    files: "1",
  },
  local: {
    options: ["max-size", "max-file", "compress", ...feeding],
    ...{ size: "20m", files: "5", compress: "true" },
  },
  none: { options: [], size: "", files: "1" },
};

/** The drivers whose logs are kept on this host and can be read back, as `info` lists them. */
export const logDrivers: readonly string[] = ["json-file", "local"];

function refuse(message: string, about?: string): never {
  throw new Fault("invalid", message, defined({ about }));
}

/** `invalid`, in Docker's words, for an unknown driver or option; Docker says some of these only at the start. */
export function checkLogConfig(log: LogConfig): void {
  const { Type: name, Config: options } = log;
  const driver = drivers[name];
  if (!driver) {
    const message = `this version of thimble does not have the log driver "${name}"; use json-file, local or none`;
    throw new Fault("unsupported", message, { about: name });
  }
  for (const key of Object.keys(options)) {
    if (driver.options.includes(key)) continue;
    const where = name === "json-file" ? "json-file log driver" : `log driver ${name}`;
    refuse(`unknown log opt '${key}' for ${where}`, key);
  }
  checkCompress(options.compress, logLimits(log));
  checkFeeding(options);
  for (const key of ["labels-regex", "env-regex"]) checkExpression(options[key]);
  if (options.tag !== undefined) checkTag(options.tag);
}

/** `max-size` and `max-file`; without a size there is one file, however many are asked for. */
export function logLimits({ Type: name, Config: options }: LogConfig): LogLimits {
  const defaults = drivers[name] ?? { size: "", files: "1" };
  const { "max-size": size, "max-file": files = defaults.files } = options;
  const maxSize = size === undefined ? sizeOf(defaults.size || "0") : sizeOf(size);
  if (size !== undefined && maxSize === 0) refuse("max-size must be a positive number", size);
  if (!/^[+-]?\d+$/.test(files)) refuse(`invalid value for max-file: ${files}`, files);
  if (Number(files) < 1) refuse("max-file cannot be less than 1", files);
  if (Number(files) > 1000) refuse("max-file cannot be greater than 1000", files);
  return { maxSize: BigInt(maxSize), maxFiles: maxSize === 0 ? 1 : Number(files) };
}

function sizeOf(text: string): number {
  return parseBytes(text) ?? refuse(`invalid size: '${text}'`, text);
}

/** Whether rotated files are compressed: where it is asked for, and by default where there are any with the driver `local`. */
export function compressesLog(log: LogConfig): boolean {
  const { compress = drivers[log.Type]?.compress ?? "false" } = log.Config;
  return isTrue(compress) && logLimits(log).maxFiles > 1;
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
  if (text === undefined) return;
  try {
    new RegExp(text);
  } catch (error) {
    refuse(`error parsing regexp: ${(error as Error).message}`, text);
  }
}
