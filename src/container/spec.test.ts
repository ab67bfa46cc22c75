import { expect, test } from "bun:test";
import type { Machine } from "#runtime";
import type { ConfigBody } from "./config-options.ts";
import { checkSent } from "./description.ts";
import type { HostConfigBody } from "./host-options.ts";
import { containerSpec } from "./spec.ts";

const machine: Machine = {
  capabilities: (1n << 41n) - 1n,
  lowerdirPlus: true,
  cgroupVersion: 2,
};

function specOf(host: HostConfigBody = {}, config: ConfigBody = {}) {
  const sent = { Config: { Image: "i", Cmd: ["x"], ...config }, HostConfig: host };
  return containerSpec({
    ...checkSent(sent, { cpus: 4 }),
    argv: ["x"],
    user: { uid: 7, gid: 8, additionalGids: [9], home: "/home/seven" },
    hostname: "box",
    files: { hostname: "/d/hostname", hosts: "/d/hosts", resolvConf: "/d/resolv.conf" },
    joined: { network: "/n/net", pid: "/n/pid", ipc: "/n/ipc" },
    machine,
  });
}

test("the environment is Docker's, then the user's", () => {
  expect(specOf({}, { Env: ["A=1", "HOSTNAME=mine"] }).process?.env).toEqual([
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOSTNAME=mine",
    "A=1",
    "HOME=/home/seven",
  ]);
  const terminal = specOf({}, { Tty: true, Env: ["HOME=/mine", "PATH"] }).process?.env;
  expect(terminal).toEqual(["HOSTNAME=box", "TERM=xterm", "HOME=/mine"]);
});

test("the files of /etc are bound, unless the user binds others there", () => {
  const mounts = specOf({ Binds: ["/mine:/etc/hosts:ro"] }).mounts ?? [];
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
  const kinds = (host: HostConfigBody) => specOf(host).linux?.namespaces?.map((each) => each.type);
  expect(kinds({})).toEqual(["mount", "network", "uts", "pid", "ipc", "cgroup"]);
  expect(kinds({ NetworkMode: "host", PidMode: "host", IpcMode: "host", UTSMode: "host" })).toEqual(
    ["mount", "cgroup"],
  );
  expect(specOf({ PidMode: "container:x" }).linux?.namespaces).toContainEqual({
    type: "pid",
    path: "/n/pid",
  });
  expect(kinds({ CgroupnsMode: "host" })).not.toContain("cgroup");
  expect(kinds({ CgroupnsMode: "private", Privileged: true })).toContain("cgroup");
});

test("limits: a memory limit brings as much swap, cpus become a quota", () => {
  const spec = specOf({ Memory: 1 << 24, NanoCpus: 1.5e9 });
  expect(spec.linux?.resources).toMatchObject({
    memory: { limit: 1 << 24, swap: 1 << 25 },
    cpu: { period: 100_000, quota: 150_000 },
  });
});

test.each([
  [{ CapAdd: ["NOPE"] }, "NOPE"],
  [{ Ulimits: [{ Name: "nope", Soft: 1, Hard: 1 }] }, "invalid ulimit type: nope"],
  [{ Ulimits: [{ Name: "nofile", Soft: 2, Hard: 1 }] }, "less than or equal to hard limit"],
  [{ Devices: [{ PathOnHost: "/dev/nope" }] }, "/dev/nope"],
  [{ Devices: [{ PathOnHost: "/dev/null", CgroupPermissions: "x" }] }, "invalid device mode"],
  [{ SecurityOpt: ["nope=1"] }, "invalid --security-opt"],
  [{ SecurityOpt: ["seccomp={"] }, "seccomp"],
] as [HostConfigBody, string][])("%j is refused", (host, message) => {
  expect(() => specOf(host)).toThrow(message);
});

test("security options", () => {
  const spec = specOf({ SecurityOpt: ["no-new-privileges", "seccomp=unconfined"] });
  expect(spec.process?.noNewPrivileges).toBe(true);
  expect(spec.linux?.seccomp).toBeUndefined();
  expect(specOf({ SecurityOpt: ["systempaths=unconfined"] }).linux?.maskedPaths).toEqual([]);
});

test("a read-only root has read-only files in /etc", () => {
  const filesOf = (host: HostConfigBody) =>
    specOf(host).mounts?.filter(({ destination }) => destination.startsWith("/etc/"));
  const [options] = filesOf({ ReadonlyRootfs: true })?.map((mount) => mount.options) ?? [];
  expect(filesOf({ ReadonlyRootfs: true })).toHaveLength(3);
  expect(options).toContain("ro");
  expect(filesOf({})?.[0]?.options).not.toContain("ro");
});

test("with --ipc none there is no /dev/shm", () => {
  const hasShm = (host: HostConfigBody) =>
    specOf(host).mounts?.some(({ destination }) => destination === "/dev/shm");
  expect([hasShm({}), hasShm({ IpcMode: "none", ShmSize: 1 << 20 })]).toEqual([true, false]);
});

test("a directory stands for all devices below it", () => {
  const Devices = [{ PathOnHost: "/dev/pts/..", PathInContainer: "/dev/all" }];
  const { devices = [] } = specOf({ Devices }).linux ?? {};
  expect(devices.map(({ path }) => path)).toContain("/dev/all/null");
  const none = import.meta.dirname;
  expect(() => specOf({ Devices: [{ PathOnHost: none }] })).toThrow(
    `error gathering device information while adding custom device "${none}"`,
  );
});
