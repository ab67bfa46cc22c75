import { expect, test } from "bun:test";
import type { Machine } from "#runtime";
import { createRequest } from "../../../test/support/create-request.ts";
import type { ContainerConfig, HostConfig } from "../contract.ts";
import { containerResources, containerSpec } from "./container-spec.ts";

const machine: Machine = {
  capabilities: (1n << 41n) - 1n,
  lowerdirPlus: true,
  cgroupVersion: 2,
};

function specOf(host: Partial<HostConfig> = {}, config: Partial<ContainerConfig> = {}) {
  const request = createRequest("i", ["x"], { host, config });
  return containerSpec({
    ...request,
    argv: ["x"],
    user: { uid: 7, gid: 8, additionalGids: [9], home: "/home/seven" },
    hostname: "box",
    files: { hostname: "/d/hostname", hosts: "/d/hosts", resolvConf: "/d/resolv.conf" },
    machine,
  }).spec;
}

test("the environment is Docker's, then the user's", () => {
  expect(specOf({}, { env: ["A=1", "HOSTNAME=mine"] }).process?.env).toEqual([
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOSTNAME=mine",
    "A=1",
    "HOME=/home/seven",
  ]);
  const terminal = specOf({}, { tty: true, env: ["HOME=/mine", "PATH"] }).process?.env;
  expect(terminal).toEqual(["HOSTNAME=box", "TERM=xterm", "HOME=/mine"]);
});

test("the files of /etc are bound, unless the user binds others there", () => {
  const bind = { source: "/mine", target: "/etc/hosts", readonly: true, recursive: true };
  const mounts = specOf({ binds: [{ ...bind, createSource: false }] }).mounts ?? [];
  const sources = Object.fromEntries(
    mounts.filter((each) => each.type === "bind").map((each) => [each.destination, each.source]),
  );
  expect(sources).toEqual({
    "/etc/resolv.conf": "/d/resolv.conf",
    "/etc/hostname": "/d/hostname",
    "/etc/hosts": "/mine",
  });
  const own = mounts.find((each) => each.destination === "/etc/hosts");
  expect(own?.options).toEqual(["rbind", "rro", "rprivate"]);
});

test("namespaces follow the modes", () => {
  const kinds = (host: Partial<HostConfig>) =>
    specOf(host).linux?.namespaces?.map((each) => each.type);
  expect(kinds({})).toEqual(["mount", "network", "uts", "pid", "ipc", "cgroup"]);
  expect(kinds({ networkMode: "host", pidMode: "host", ipcMode: "host", utsMode: "host" })).toEqual(
    ["mount", "cgroup"],
  );
  expect(kinds({ cgroupnsMode: "host" })).not.toContain("cgroup");
  expect(kinds({ cgroupnsMode: "private", privileged: true })).toContain("cgroup");
});

test("limits: a memory limit brings as much swap, cpus become a quota", () => {
  const { host } = createRequest("i", ["x"], { host: { memory: 1 << 24, nanoCpus: 1.5e9 } });
  expect(containerResources(host)).toEqual({
    memory: { limit: 1 << 24, swap: 1 << 25 },
    cpu: { period: 100_000, quota: 150_000 },
  });
});

test.each([
  [{ capAdd: ["NOPE"] }, "NOPE"],
  [{ ulimits: [{ name: "nope", soft: 1, hard: 1 }] }, "invalid ulimit type: nope"],
  [{ ulimits: [{ name: "nofile", soft: 2, hard: 1 }] }, "less than or equal to hard limit"],
  [{ devices: [{ source: "/dev/nope", target: "", permissions: "rwm" }] }, "/dev/nope"],
  [{ devices: [{ source: "/dev/null", target: "", permissions: "x" }] }, "invalid device mode"],
  [{ securityOpt: ["nope=1"] }, "invalid --security-opt"],
  [{ securityOpt: ["seccomp={"] }, "seccomp"],
] as [Partial<HostConfig>, string][])("%j is refused", (host, message) => {
  expect(() => specOf(host)).toThrow(message);
});

test("security options", () => {
  const spec = specOf({ securityOpt: ["no-new-privileges", "seccomp=unconfined"] });
  expect(spec.process?.noNewPrivileges).toBe(true);
  expect(spec.linux?.seccomp).toBeUndefined();
  expect(specOf({ securityOpt: ["systempaths=unconfined"] }).linux?.maskedPaths).toEqual([]);
});
