import { expect, test } from "bun:test";
import {
  checkLogConfig,
  defaultLogConfig,
  logLimits,
  readsLog,
  withLogDefaults,
} from "./log-config.ts";

function refusal(Type: string, options: readonly string[]): string | undefined {
  const Config = Object.fromEntries(options.map((option) => option.split(/=(.*)/s).slice(0, 2)));
  try {
    checkLogConfig({ Type, Config });
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

// Checked against dockerd 28.5.2.
test.each([
  ["syslog", ["syslog-address=foo://x"], "unsupported scheme: 'foo'"],
  ["syslog", ["syslog-address=foo"], "unsupported scheme: ''"],
  ["syslog", ["syslog-address=unix:///absent"], "stat /absent: no such file or directory"],
  ["syslog", ["syslog-address=tcp://h:1:2"], "address h:1:2: too many colons in address"],
  ["syslog", ["syslog-address=tcp://h:zz"], 'parse "tcp://h:zz": invalid port ":zz" after host'],
  ["syslog", ["syslog-facility=zzz"], "invalid syslog facility"],
  ["syslog", ["syslog-format=zz"], "Invalid syslog format"],
  ["syslog", ["nope=1"], "unknown log opt 'nope' for syslog log driver"],
  ["syslog", ["cache-disabled=zz"], "invalid value for option cache-disabled: zz"],
  ["syslog", ["mode=zz"], "logger: logging mode not supported: zz"],
  ["gelf", ["x=1"], "gelf-address is a required parameter"],
  ["gelf", ["gelf-address=http://a"], "gelf: endpoint needs to be TCP or UDP"],
  ["gelf", ["gelf-address=udp://h"], "gelf: please provide gelf-address as proto://host:port"],
  [
    "gelf",
    ["gelf-address=udp://h:1", "gelf-compression-type=zz"],
    'unknown value "zz" for log opt "gelf-compression-type" for gelf log driver',
  ],
  [
    "gelf",
    ["gelf-address=udp://h:1", "gelf-compression-level=11"],
    'unknown value "11" for log opt "gelf-compression-level" for gelf log driver',
  ],
  [
    "gelf",
    ["gelf-address=tcp://h:1", "gelf-compression-level=1"],
    "compression is only supported on UDP",
  ],
  [
    "gelf",
    ["gelf-address=udp://h:1", "gelf-tcp-max-reconnect=1"],
    '"gelf-tcp-max-reconnect" is only valid for TCP',
  ],
  [
    "gelf",
    ["gelf-address=tcp://h:1", "gelf-tcp-reconnect-delay=x"],
    '"gelf-tcp-reconnect-delay" must be a positive integer',
  ],
  [
    "fluentd",
    ["fluentd-address=x:y:z"],
    'invalid fluentd-address (x:y:z): parse "tcp://x:y:z": invalid port ":z" after host',
  ],
  [
    "fluentd",
    ["fluentd-address=x:99999"],
    'invalid fluentd-address (x:99999): invalid port: strconv.ParseUint: parsing "99999": value out of range',
  ],
  [
    "fluentd",
    ["fluentd-address=tcp://x/p"],
    "invalid fluentd-address (tcp://x/p): should not contain a path element",
  ],
  [
    "fluentd",
    ["fluentd-address=udp://x:1"],
    "invalid fluentd-address (udp://x:1): unsupported scheme: 'udp'",
  ],
  ["fluentd", ["fluentd-address=unix://"], "invalid fluentd-address (unix://): path is empty"],
  ["fluentd", ["fluentd-async=zz"], 'strconv.ParseBool: parsing "zz": invalid syntax'],
  [
    "fluentd",
    ["fluentd-async-connect=true"],
    "unknown log opt 'fluentd-async-connect' for fluentd log driver",
  ],
  [
    "fluentd",
    ["fluentd-async-reconnect-interval=1ms"],
    'invalid value for fluentd-async-reconnect-interval: value ("1ms") must be between 100ms and 10s',
  ],
  ["fluentd", ["fluentd-buffer-limit=zz"], "invalid size: 'zz'"],
  ["fluentd", ["fluentd-retry-wait=5"], 'time: missing unit in duration "5"'],
  ["fluentd", ["fluentd-max-retries=-1"], 'strconv.ParseUint: parsing "-1": invalid syntax'],
  [
    "fluentd",
    ["fluentd-write-timeout=zz"],
    'invalid value for fluentd-write-timeout: value must be a duration: time: invalid duration "zz"',
  ],
  ["journald", ["zz=1"], "unknown log opt 'zz' for journald log driver"],
  ["nope", ["a=b"], 'error looking up logging plugin nope: plugin "nope" not found'],
] as const)("%s with %j is refused", (driver, options, words) => {
  expect(refusal(driver, options)).toBe(words);
});

test.each(["splunk", "awslogs", "gcplogs", "etwlogs"])("%s is refused by its name", (driver) => {
  expect(refusal(driver, [])).toContain(`does not have the log driver ${driver}`);
});

test.each([
  ["syslog", []],
  ["syslog", ["syslog-address=tcp+tls://h", "syslog-format=rfc5424micro", "tag={{.Name}}"]],
  ["syslog", ["syslog-address=udp://[::1]:514", "syslog-facility=local3", "labels=a"]],
  ["gelf", ["gelf-address=udp://127.0.0.1:9/path", "env-regex=^A"]],
  ["gelf", ["gelf-address=tcp://h:1", "gelf-tcp-max-reconnect=5", "mode=non-blocking"]],
  ["fluentd", ["fluentd-address=tls://x:1", "fluentd-async=true", "fluentd-retry-wait=1.5s"]],
  ["fluentd", ["fluentd-address=unix:///run/f.sock", "fluentd-request-ack=1"]],
  ["journald", ["labels=a", "cache-disabled=true", "cache-max-size=1m", "cache-max-file=2"]],
  ["none", ["any=thing"]],
  ["json-file", ["cache-disabled=true"]],
])("%s with %j is taken", (driver, options) => {
  expect(refusal(driver, options)).toBeUndefined();
});

const sent = { Config: { Image: "x" }, HostConfig: {} };
const logOf = (LogConfig: object) =>
  withLogDefaults({ ...sent, HostConfig: { LogConfig } }, defaultLogConfig).HostConfig.LogConfig;

test("the default log is three files of 10 MB, and says so", () => {
  const { LogConfig } = withLogDefaults(sent, defaultLogConfig).HostConfig;
  const Config = { "max-size": "10m", "max-file": "3" };
  expect(LogConfig).toEqual({ Type: "json-file", Config });
  expect(logLimits({ Type: "json-file", Config })).toEqual({ maxSize: 10_000_000n, maxFiles: 3 });
});

test.each([
  [{ "max-size": "1m" }, { "max-size": "1m" }],
  [
    { "max-file": "5", labels: "a" },
    { "max-file": "5", labels: "a", "max-size": "10m" },
  ],
])("of the options %j become %j", (Config, wanted) => {
  expect(logOf({ Type: "", Config })?.Config).toEqual(wanted);
});

test("options of a configuration stand beside those of a request for the same driver, and of no other", () => {
  const defaults = { Type: "json-file", Config: { "max-size": "5m", labels: "x" } };
  const of = (LogConfig: object) =>
    withLogDefaults({ ...sent, HostConfig: { LogConfig } }, defaults).HostConfig.LogConfig;
  expect(of({ Config: { labels: "a" } })).toEqual({
    Type: "json-file",
    Config: { "max-size": "5m", labels: "a" },
  });
  expect(of({ Type: "local" })).toEqual({ Type: "local", Config: {} });
});

test("a log that is shipped has a bounded copy here, which can be closed to readers", () => {
  const Type = "syslog";
  expect(logLimits({ Type, Config: {} })).toEqual({ maxSize: 20_971_520n, maxFiles: 5 });
  const Config = { "cache-max-size": "1m", "cache-max-file": "2", "cache-disabled": "true" };
  expect(logLimits({ Type, Config })).toEqual({ maxSize: 1_048_576n, maxFiles: 2 });
  expect([readsLog({ Type, Config: {} }), readsLog({ Type, Config })]).toEqual([true, false]);
});
