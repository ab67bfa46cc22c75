import { Fault, parseBytes } from "#base";

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

function refuse(message: string, about?: string): never {
  throw new Fault("invalid", message, about === undefined ? {} : { about });
}

/** Faults unless the driver is there and knows the options. */
export function checkLogConfig(log: LogConfig): void {
  const { Type: driver, Config: options } = log;
  if (driver !== "json-file" && driver !== "none") {
    const message = `this version of thimble does not have the log driver "${driver}"; use json-file or none`;
    throw new Fault("unsupported", message, { about: driver });
  }
  for (const key of Object.keys(options)) {
    if (key !== "max-size" && key !== "max-file")
      refuse(`unknown log opt '${key}' for json-file log driver`, key);
  }
  logLimits(log);
}

/** `max-size` and `max-file` of the json-file log; one file of any size by default. */
export function logLimits({ Config: options }: LogConfig): LogLimits {
  const { "max-size": size = "-1", "max-file": files = "1" } = options;
  const bytes = size === "-1" ? 0 : parseBytes(size);
  if (bytes === undefined || (size !== "-1" && bytes <= 0))
    refuse(`invalid value for max-size: ${size}; give a size as 10m`, size);
  const count = Number(files);
  if (!/^\d+$/.test(files) || count < 1 || count > 1000)
    refuse(`invalid value for max-file: ${files}; give a number from 1 to 1000`, files);
  if (bytes === 0 && count > 1) refuse("max-file cannot be set greater than 1 without max-size");
  return { maxSize: BigInt(bytes), maxFiles: count };
}
