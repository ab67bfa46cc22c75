import { expect, test } from "bun:test";
import { type ContainerCreateBody, checkSent, readSent, sentOf } from "./description.ts";

const limits = { cpus: 4 };

function requestOf(body: ContainerCreateBody) {
  return checkSent(sentOf({ Image: "debian", ...body }), limits);
}

function hostOf(host: ContainerCreateBody["HostConfig"]) {
  return requestOf({ HostConfig: host }).host;
}

/** What docker 28 sends for `docker run debian`, of which every part is a default. */
const plain = JSON.parse(
  '{"Hostname":"","Domainname":"","User":"","AttachStdin":false,"AttachStdout":true,"AttachStderr":true,"Tty":false,"OpenStdin":false,"StdinOnce":false,"Env":null,"Cmd":["true"],"Image":"debian","Volumes":{},"WorkingDir":"","Entrypoint":null,"OnBuild":null,"Labels":{},"HostConfig":{"Binds":null,"ContainerIDFile":"","LogConfig":{"Type":"","Config":{}},"NetworkMode":"default","PortBindings":{},"RestartPolicy":{"Name":"no","MaximumRetryCount":0},"AutoRemove":true,"VolumeDriver":"","VolumesFrom":null,"ConsoleSize":[24,80],"CapAdd":null,"CapDrop":null,"CgroupnsMode":"","Dns":[],"DnsOptions":[],"DnsSearch":[],"ExtraHosts":null,"GroupAdd":null,"IpcMode":"","Cgroup":"","Links":null,"OomScoreAdj":0,"PidMode":"","Privileged":false,"PublishAllPorts":false,"ReadonlyRootfs":false,"SecurityOpt":null,"UTSMode":"","UsernsMode":"","ShmSize":0,"Isolation":"","CpuShares":0,"Memory":0,"NanoCpus":0,"CgroupParent":"","BlkioWeight":0,"BlkioWeightDevice":[],"BlkioDeviceReadBps":[],"BlkioDeviceWriteBps":[],"BlkioDeviceReadIOps":[],"BlkioDeviceWriteIOps":[],"CpuPeriod":0,"CpuQuota":0,"CpuRealtimePeriod":0,"CpuRealtimeRuntime":0,"CpusetCpus":"","CpusetMems":"","Devices":[],"DeviceCgroupRules":null,"DeviceRequests":null,"MemoryReservation":0,"MemorySwap":0,"MemorySwappiness":-1,"OomKillDisable":false,"PidsLimit":0,"Ulimits":[],"CpuCount":0,"CpuPercent":0,"IOMaximumIOps":0,"IOMaximumBandwidth":0,"MaskedPaths":null,"ReadonlyPaths":null},"NetworkingConfig":{"EndpointsConfig":{"default":{"IPAMConfig":null,"Links":null,"Aliases":null,"MacAddress":"","DriverOpts":null,"GwPriority":0,"NetworkID":"","EndpointID":"","Gateway":"","IPAddress":"","IPPrefixLen":0,"IPv6Gateway":"","GlobalIPv6Address":"","GlobalIPv6PrefixLen":0,"DNSNames":null}}}}',
) as ContainerCreateBody;

test("a plain docker run asks for nothing that is missing", () => {
  const { config, host } = requestOf(plain);
  expect(config).toMatchObject({ Image: "debian", Cmd: ["true"], AttachStdout: true });
  expect(config.Entrypoint).toBeUndefined();
  expect(host).toMatchObject({
    AutoRemove: true,
    NetworkMode: "default",
    ShmSize: 64 << 20,
    LogConfig: { Type: "json-file", Config: {} },
    Binds: [],
    MemorySwappiness: -1,
  });
});

test("an empty entrypoint is not an absent one, and argv may be one string", () => {
  expect(requestOf({ Entrypoint: [] }).config.Entrypoint).toEqual([]);
  expect(requestOf({ Entrypoint: "sh", Cmd: "x" }).config).toMatchObject({
    Entrypoint: ["sh"],
    Cmd: ["x"],
  });
});

test("a memory limit allows as much swap again unless said otherwise", () => {
  expect(hostOf({ Memory: 8 << 20 }).MemorySwap).toBe(16 << 20);
  expect(hostOf({ Memory: 8 << 20, MemorySwap: -1 }).MemorySwap).toBe(-1);
  expect(hostOf({}).MemorySwap).toBe(0);
});

test("capabilities are spelled one way", () => {
  expect(hostOf({ CapAdd: ["net_admin", "CAP_SYS_TIME", "all"] }).CapAdd).toEqual([
    "CAP_NET_ADMIN",
    "CAP_SYS_TIME",
    "ALL",
  ]);
});

test("binds are read with their modes", () => {
  const base = { recursive: true, createSource: true, mode: "" };
  expect(hostOf({ Binds: ["/a:/b", "/a:/c:ro,rslave,z"] }).Binds).toEqual([
    { ...base, source: "/a", target: "/b", readonly: false },
    {
      ...base,
      source: "/a",
      target: "/c",
      readonly: true,
      propagation: "rslave",
      mode: "ro,rslave,z",
    },
  ]);
  for (const bad of ["/a:/b:zz", "/a:/b:ro,rw", "/a:/b:ro,ro"])
    expect(() => hostOf({ Binds: [bad] })).toThrow(`invalid mode: ${bad.slice(6)}`);
  for (const bad of ["/a:", "/a:/b:ro:rw"])
    expect(() => hostOf({ Binds: [bad] })).toThrow("invalid volume specification");
});

test("binds of a client of before API 1.44 leave what is mounted below them as it is", () => {
  const HostConfig = {
    Binds: ["/a:/b:ro", "data:/d:ro"],
    Mounts: [{ Type: "bind", Source: "/a", Target: "/c", ReadOnly: true }],
  };
  const { host } = readSent({ Config: {}, HostConfig, shallowBinds: true });
  expect([...host.Binds, ...host.Mounts.binds].map((bind) => "shallow" in bind)).toEqual([
    true,
    false,
    true,
  ]);
  expect(readSent({ Config: {}, HostConfig }).host.Binds[0]).not.toHaveProperty("shallow");
});

test("mounts become binds that must exist, and tmpfs with options", () => {
  const host = hostOf({
    Mounts: [
      {
        Type: "bind",
        Source: "/proc",
        Target: "/b",
        ReadOnly: true,
        BindOptions: { NonRecursive: true },
      },
      { Type: "tmpfs", Target: "/t", TmpfsOptions: { SizeBytes: 1024, Mode: 0o1777 } },
    ],
    Tmpfs: { "/u": "rw,size=1m" },
  });
  expect(host.Mounts).toEqual({
    binds: [
      {
        ...{ source: "/proc", target: "/b", mode: "" },
        ...{ readonly: true, recursive: false, createSource: false },
      },
    ],
    tmpfs: [{ target: "/t", options: "size=1024,mode=1777" }],
    volumes: [],
    images: [],
  });
  expect(host.Tmpfs).toEqual([{ target: "/u", options: "rw,size=1m" }]);
  expect(() => hostOf({ Mounts: [{ Type: "bind", Target: "/b" }] })).toThrow(
    'invalid mount config for type "bind": field Source must not be empty',
  );
  for (const Type of ["bog", "npipe", "cluster"])
    expect(() => hostOf({ Mounts: [{ Type, Target: "/b" }] })).toThrow(
      `invalid mount config for type "${Type}": mount type unknown`,
    );
});

test.each([
  [{ HostConfig: { UsernsMode: "keep" } }, 'user namespace mode "keep"'],
  [
    {
      NetworkingConfig: {
        EndpointsConfig: { mine: { IPAMConfig: { LinkLocalIPs: ["169.254.0.2"] } } },
      },
    },
    "link-local addresses on mine",
  ],
] as [ContainerCreateBody, string][])(
  "what is not there is refused and named: %#",
  (body, named) => {
    expect(() => requestOf(body)).toThrow(named);
    expect(() => requestOf(body)).toThrow(/^th(is|ese) options? (is|are) not supported yet: /);
  },
);

test("all that is missing is named at once", () => {
  expect(() => hostOf({ Cgroup: "a", UsernsMode: "keep" })).toThrow(/Cgroup.*; .*UsernsMode/);
});
