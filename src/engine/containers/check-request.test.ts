import { expect, test } from "bun:test";
import { createRequest } from "../../../test/support/create-request.ts";
import type { ContainerConfig, HostConfig } from "../contract.ts";
import { checkRequest, logLimits } from "./check-request.ts";

const machine = { cpus: 4 };

function check(host: Partial<HostConfig>, config: Partial<ContainerConfig> = {}): void {
  checkRequest(createRequest("i", ["x"], { host, config }), machine);
}

const bind = {
  source: "/nowhere/at/all",
  target: "/x",
  readonly: false,
  recursive: true,
  createSource: false,
};

test("what the docker CLI sends by default is accepted", () => {
  expect(() =>
    check({
      memory: 6 << 20,
      nanoCpus: 1.5e9,
      cpusetCpus: "0-3",
      capAdd: ["ALL"],
      capDrop: ["CAP_CHOWN"],
    }),
  ).not.toThrow();
});

test.each([
  [{ memory: 4 << 20 }, "Minimum memory limit allowed is 6MB"],
  [{ memory: 16 << 20, memorySwap: 8 << 20 }, "Minimum memoryswap limit"],
  [{ memorySwap: 8 << 20 }, "always set the Memory limit"],
  [{ memory: 8 << 20, memoryReservation: 16 << 20 }, "less than memory reservation"],
  [{ nanoCpus: 5e9 }, "range of CPUs is from 0.01 to 4.00"],
  [{ nanoCpus: 1e9, cpuQuota: 5000 }, "Nano CPUs and CPU Quota cannot both be set"],
  [{ cpuShares: -3 }, "invalid CPU shares (-3): value must be a positive integer"],
  [{ capAdd: ["CAP_NOPE"] }, 'invalid CapAdd: unknown capability: "CAP_NOPE"'],
  [{ capDrop: ["CAP_NOPE"] }, 'invalid CapDrop: unknown capability: "CAP_NOPE"'],
  [{ cpusetCpus: "0-x" }, "Invalid value 0-x for cpuset cpus"],
  [{ cpusetCpus: "4" }, "Requested CPUs are not available - requested 4, available: 0-3"],
  [{ oomScoreAdj: 2000 }, "range for oom score adj is [-1000, 1000]"],
  [{ networkMode: "mine" }, "user-defined networks"],
  [{ pidMode: "odd" }, "invalid PID mode: odd"],
  [{ binds: [bind] }, "bind source path does not exist: /nowhere/at/all"],
  [{ binds: [{ ...bind, source: "/tmp", target: "/" }] }, "destination can't be '/'"],
  [{ binds: [{ ...bind, source: "/tmp", target: "x" }] }, "must be absolute"],
  [
    { binds: [{ ...bind, source: "/tmp" }], tmpfs: [{ target: "/x/", options: "" }] },
    "Duplicate mount point: /x",
  ],
  [{ dns: ["localhost"] }, "bad nameserver address"],
  [{ extraHosts: ["host"] }, "bad format for add-host"],
  [{ logDriver: "syslog" }, "the log driver"],
  [{ logOptions: { tag: "x" } }, "unknown log opt 'tag'"],
  [{ cgroupParent: "/x" }, "a cgroup parent"],
] as [Partial<HostConfig>, string][])("%j is refused", (host, message) => {
  expect(() => check(host)).toThrow(message);
});

test.each([
  [{ workingDir: "here" }, "the working directory 'here' is invalid"],
  [{ stopSignal: "SIGNOPE" }, "invalid signal: SIGNOPE"],
  [{ env: ["=x"] }, "invalid environment variable"],
  [{ env: ["A=\0"] }, "NUL"],
  [{ volumes: ["/data"] }, "volumes"],
] as [Partial<ContainerConfig>, string][])("%j is refused", (config, message) => {
  expect(() => check({}, config)).toThrow(message);
});

test("a configuration of megabytes is refused", () => {
  const labels = { a: "x".repeat(2 << 20) };
  expect(() => check({}, { labels })).toThrow("larger than the limit");
});

test("log limits", () => {
  const limits = (options: Record<string, string>) =>
    logLimits(createRequest("i", ["x"], { host: { logOptions: options } }).host);
  expect(limits({})).toEqual({ maxSize: 0n, maxFiles: 1 });
  expect(limits({ "max-size": "10m", "max-file": "3" })).toEqual({
    maxSize: 10_485_760n,
    maxFiles: 3,
  });
  expect(() => limits({ "max-file": "3" })).toThrow("without max-size");
  expect(() => limits({ "max-size": "much" })).toThrow("max-size");
  expect(() => limits({ "max-file": "0" })).toThrow("max-file");
});
