import { parseFluentd } from "./fluentd-options.ts";
import { forwardEncoder } from "./forward-message.ts";
import { gelfEncoder } from "./gelf-message.ts";
import { parseGelf } from "./gelf-options.ts";
import { journalEncoder } from "./journal-message.ts";
import { syslogEncoder } from "./syslog-message.ts";
import { checkSyslog, parseSyslog } from "./syslog-options.ts";
import type { LogEncoder, LogOptions, LogSubject, LogTarget } from "./target.ts";

const attributes = ["tag", "labels", "labels-regex", "env", "env-regex"];

/** A driver whose log goes to a receiver. */
interface ShippedDriver {
  /** Its options, but for those that all drivers have. */
  readonly options: readonly string[];
  parse(options: LogOptions): LogTarget;
  check?(options: LogOptions): void;
}

/** Docker's names of the drivers whose logs go to receivers, and their options. */
export const shippedDrivers: ReadonlyMap<string, ShippedDriver> = new Map([
  [
    "syslog",
    {
      options: [
        ...attributes,
        ...["syslog-address", "syslog-facility", "syslog-format", "syslog-tls-ca-cert"],
        ...["syslog-tls-cert", "syslog-tls-key", "syslog-tls-skip-verify"],
      ],
      parse: parseSyslog,
      check: checkSyslog,
    },
  ],
  ["journald", { options: attributes, parse: () => journal }],
  [
    "gelf",
    {
      options: [
        ...attributes,
        ...["gelf-address", "gelf-compression-type", "gelf-compression-level"],
        ...["gelf-tcp-max-reconnect", "gelf-tcp-reconnect-delay"],
      ],
      parse: parseGelf,
      check: parseGelf,
    },
  ],
  [
    "fluentd",
    {
      options: [
        ...attributes,
        ...["fluentd-address", "fluentd-async", "fluentd-async-reconnect-interval"],
        ...["fluentd-buffer-limit", "fluentd-max-retries", "fluentd-request-ack"],
        ...["fluentd-retry-wait", "fluentd-sub-second-precision", "fluentd-write-timeout"],
      ],
      parse: parseFluentd,
      check: parseFluentd,
    },
  ],
]);

/** The socket of systemd-journald(8). */
const journal: LogTarget = {
  driver: "journald",
  endpoints: [{ kind: "unixgram", path: "/run/systemd/journal/socket" }],
};

/** Where a log goes; undefined for the drivers that keep it here. Faults as the driver's check. */
export function logTarget(driver: string, options: LogOptions): LogTarget | undefined {
  return shippedDrivers.get(driver)?.parse(options);
}

/** What makes the messages for a receiver. */
export function logEncoder(target: LogTarget, subject: LogSubject): LogEncoder {
  switch (target.driver) {
    case "syslog":
      return syslogEncoder(target, subject);
    case "journald":
      return journalEncoder(subject);
    case "gelf":
      return gelfEncoder(target, subject);
    case "fluentd":
      return forwardEncoder(target, subject);
  }
}
