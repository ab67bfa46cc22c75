import { expect, test } from "bun:test";
import type { ConfigBody } from "./config-options.ts";
import { checkSent } from "./description.ts";
import type { HostConfigBody } from "./host-options.ts";
import { logLimits } from "./log-config.ts";

const machine = { cpus: 4 };

function check(host: HostConfigBody, config: ConfigBody = {}): void {
  checkSent({ Config: { Image: "i", Cmd: ["x"], ...config }, HostConfig: host }, machine);
}

const bind = { Type: "bind", Source: "/nowhere/at/all", Target: "/x" };

test("the docker CLI's default body is accepted", () => {
  expect(() =>
    check({
      Memory: 6 << 20,
      NanoCpus: 1.5e9,
      CpusetCpus: "0-3",
      CapAdd: ["ALL"],
      CapDrop: ["CAP_CHOWN"],
    }),
  ).not.toThrow();
});

test.each([
  [{ Memory: 4 << 20 }, "Minimum memory limit allowed is 6MB"],
  [{ Memory: 16 << 20, MemorySwap: 8 << 20 }, "Minimum memoryswap limit"],
  [{ MemorySwap: 8 << 20 }, "always set the Memory limit"],
  [{ Memory: 8 << 20, MemoryReservation: 16 << 20 }, "less than memory reservation"],
  [{ NanoCpus: 5e9 }, "range of CPUs is from 0.01 to 4.00"],
  [{ NanoCpus: 1e9, CpuQuota: 5000 }, "Nano CPUs and CPU Quota cannot both be set"],
  [{ CpuShares: -3 }, "invalid CPU shares (-3): value must be a positive integer"],
  [{ CapAdd: ["CAP_NOPE"] }, 'invalid CapAdd: unknown capability: "CAP_NOPE"'],
  [{ CapDrop: ["CAP_NOPE"] }, 'invalid CapDrop: unknown capability: "CAP_NOPE"'],
  [{ CpusetCpus: "0-x" }, "Invalid value 0-x for cpuset cpus"],
  [{ CpusetCpus: "4" }, "Requested CPUs are not available - requested 4, available: 0-3"],
  [{ OomScoreAdj: 2000 }, "range for oom score adj is [-1000, 1000]"],
  [{ PidMode: "odd" }, "invalid PID mode: odd"],
  [{ Mounts: [bind] }, "bind source path does not exist: /nowhere/at/all"],
  [{ Mounts: [{ ...bind, Source: "/tmp", Target: "/" }] }, "destination can't be '/'"],
  [{ Mounts: [{ ...bind, Source: "/tmp", Target: "x" }] }, "must be absolute"],
  [{ Mounts: [{ ...bind, Source: "/tmp" }], Tmpfs: { "/x/": "" } }, "Duplicate mount point: /x"],
  [{ Dns: ["localhost"] }, "bad nameserver address"],
  [{ DnsOptions: ["ndots:1\nnameserver 6.6.6.6"] }, "bad option or search domain for DNS"],
  [{ DnsSearch: ["a\nb"] }, "bad option or search domain for DNS"],
  [{ Binds: ["/tmp:/proc"] }, '"/proc" cannot be mounted because it is inside /proc'],
  [{ Binds: ["/tmp:/x/../proc/sys/"] }, "cannot be mounted because it is inside /proc"],
  [{ Mounts: [{ ...bind, Source: "/tmp", Target: "/proc/1/x" }] }, "inside /proc"],
  [{ Tmpfs: { "/proc/acpi": "" } }, "inside /proc"],
  [{ ExtraHosts: ["host"] }, "bad format for add-host"],
  [{ LogConfig: { Type: "splunk" } }, "the log driver"],
  [{ LogConfig: { Config: { size: "x" } } }, "unknown log opt 'size' for json-file log driver"],
  [
    { LogConfig: { Type: "local", Config: { tag: "x" } } },
    "unknown log opt 'tag' for log driver local",
  ],
  [{ LogConfig: { Config: { compress: "true" } } }, "compress cannot be true when max-file"],
  [{ LogConfig: { Config: { compress: "maybe" } } }, "invalid value for compress"],
  [{ LogConfig: { Config: { mode: "odd" } } }, "logger: logging mode not supported: odd"],
  [
    { LogConfig: { Config: { "max-buffer-size": "1m" } } },
    "only supported with 'mode=non-blocking'",
  ],
  [
    { LogConfig: { Config: { mode: "non-blocking", "max-buffer-size": "x" } } },
    "error parsing option max-buffer-size: invalid size: 'x'",
  ],
  [{ LogConfig: { Config: { "env-regex": "(" } } }, "error parsing regexp"],
  [{ LogConfig: { Config: { tag: "{{.Name" } } }, "cannot read the log tag"],
  [{ LogConfig: { Config: { tag: "{{.ID" } } }, "cannot read the log tag"],
  [{ CgroupParent: "/" }, '"/" cannot be the parent of cgroups'],
  [{ CgroupParent: "/a/../b" }, '"/a/../b" cannot be the parent of cgroups'],
] as [HostConfigBody, string][])("%j is refused", (host, message) => {
  expect(() => check(host)).toThrow(message);
});

test("mounts that runc allows in /proc are accepted, and /sys, as Docker does", () => {
  const Binds = ["/etc/hostname:/proc/cpuinfo", "/etc/hostname:/proc/net/dev", "/proc:/proc"];
  expect(() => check({ Binds: [...Binds, "/tmp:/sys", "/tmp:/procedure"] })).not.toThrow();
});

test.each([
  [{ Hostname: "a".repeat(65) }, "invalid hostname format"],
  [{ Domainname: "a\nb" }, "invalid domain name"],
  [{ WorkingDir: "here" }, "the working directory 'here' is invalid"],
  [{ StopSignal: "SIGNOPE" }, "invalid signal: SIGNOPE"],
  [{ Env: ["=x"] }, "invalid environment variable"],
  [{ Env: ["A=\0"] }, "NUL"],
] as [ConfigBody, string][])("%j is refused", (config, message) => {
  expect(() => check({}, config)).toThrow(message);
});

test("a configuration of megabytes is refused", () => {
  const Labels = { a: "x".repeat(2 << 20) };
  expect(() => check({}, { Labels })).toThrow("larger than the limit");
});

test("log limits", () => {
  const limits = (options: Record<string, string>) =>
    logLimits({ Type: "json-file", Config: options });
  expect(limits({})).toEqual({ maxSize: 0n, maxFiles: 1 });
  expect(limits({ "max-size": "10m", "max-file": "3" })).toEqual({
    maxSize: 10_000_000n,
    maxFiles: 3,
  });
  expect(limits({ "max-file": "3" })).toEqual({ maxSize: 0n, maxFiles: 1 });
  expect(() => limits({ "max-size": "much" })).toThrow("invalid size: 'much'");
  expect(() => limits({ "max-size": "-1" })).toThrow("invalid size: '-1'");
  expect(() => limits({ "max-size": "0" })).toThrow("max-size must be a positive number");
  expect(() => limits({ "max-file": "0" })).toThrow("max-file cannot be less than 1");
  expect(() => limits({ "max-file": "x" })).toThrow("invalid value for max-file: x");
  const local = (Config: Record<string, string>) => logLimits({ Type: "local", Config });
  expect(local({})).toEqual({ maxSize: 20_971_520n, maxFiles: 5 });
  expect(local({ "max-size": "1k" })).toEqual({ maxSize: 1024n, maxFiles: 5 });
});
