import { expect, test } from "bun:test";
import { faultOf } from "#base";
import {
  checkSent,
  containerCreateSchema,
  describeContainer,
  endpointsOf,
  inspectConfig,
  inspectHostConfig,
  sentOf,
} from "#container";
import { parseJsonBody } from "./json-body.ts";

type Json = Readonly<Record<string, unknown>>;

const throttle = [{ Path: "/dev/vda", Rate: 1 }];

/** A value for every field of Docker's HostConfig that is not what it is when nothing is sent. */
const hostSamples: Json = {
  Binds: ["/tmp:/x:ro,z"],
  ContainerIDFile: "/tmp/id",
  LogConfig: { Type: "json-file", Config: { "max-size": "10m" } },
  NetworkMode: "none",
  PortBindings: { "80/tcp": [{ HostIp: "127.0.0.1", HostPort: "80" }] },
  RestartPolicy: { Name: "on-failure", MaximumRetryCount: 3 },
  AutoRemove: true,
  VolumeDriver: "local",
  VolumesFrom: ["other"],
  ConsoleSize: [24, 80],
  Annotations: { a: "b" },
  CapAdd: ["NET_ADMIN"],
  CapDrop: ["CHOWN"],
  CgroupnsMode: "host",
  Dns: ["1.1.1.1"],
  DnsOptions: ["ndots:2"],
  DnsSearch: ["example"],
  ExtraHosts: ["a:1.2.3.4"],
  GroupAdd: ["7"],
  IpcMode: "host",
  Cgroup: "container:x",
  Links: ["a:b"],
  OomScoreAdj: 500,
  PidMode: "host",
  Privileged: true,
  PublishAllPorts: true,
  PublishThrough: true,
  ReadonlyRootfs: true,
  SecurityOpt: ["no-new-privileges"],
  StorageOpt: { size: "1g" },
  Tmpfs: { "/t": "size=1m" },
  UTSMode: "host",
  UsernsMode: "host",
  ShmSize: 1 << 20,
  Sysctls: { "net.core.somaxconn": "9" },
  Runtime: "runc",
  Isolation: "process",
  CpuShares: 2,
  Memory: 8 << 20,
  NanoCpus: 1e9,
  CgroupParent: "/x",
  BlkioWeight: 10,
  BlkioWeightDevice: [{ Path: "/dev/vda", Weight: 10 }],
  BlkioDeviceReadBps: throttle,
  BlkioDeviceWriteBps: throttle,
  BlkioDeviceReadIOps: throttle,
  BlkioDeviceWriteIOps: throttle,
  CpuPeriod: 50_000,
  CpuQuota: 50_000,
  CpuRealtimePeriod: 1,
  CpuRealtimeRuntime: 1,
  CpusetCpus: "0",
  CpusetMems: "0",
  Devices: [{ PathOnHost: "/dev/null", PathInContainer: "/dev/x", CgroupPermissions: "r" }],
  DeviceCgroupRules: ["c 1:3 r"],
  DeviceRequests: [
    { Driver: "x", Count: 1, DeviceIDs: ["0"], Capabilities: [["gpu"]], Options: { a: "b" } },
  ],
  KernelMemory: 1,
  KernelMemoryTCP: 1,
  MemoryReservation: 8 << 20,
  MemorySwap: -1,
  MemorySwappiness: 10,
  OomKillDisable: true,
  PidsLimit: 5,
  Ulimits: [{ Name: "nofile", Soft: 3, Hard: 4 }],
  CpuCount: 1,
  CpuPercent: 1,
  IOMaximumIOps: 1,
  IOMaximumBandwidth: 1,
  Mounts: [
    {
      ...{ Type: "bind", Source: "/tmp", Target: "/m", ReadOnly: true, Consistency: "cached" },
      BindOptions: {
        Propagation: "rslave",
        NonRecursive: true,
        CreateMountpoint: true,
        ReadOnlyForceRecursive: true,
      },
    },
    {
      ...{ Type: "bind", Source: "/tmp", Target: "/o", ReadOnly: true },
      BindOptions: {
        ReadOnlyNonRecursive: true,
        IDMapping: { Source: "match-user", User: "app" },
      },
    },
    {
      ...{ Type: "volume", Source: "data", Target: "/v" },
      VolumeOptions: {
        ...{ NoCopy: true, Labels: { a: "b" }, Subpath: "s" },
        DriverConfig: { Name: "local", Options: { a: "b" } },
      },
    },
    { Type: "image", Source: "i", Target: "/i", ImageOptions: { Subpath: "s" } },
    {
      ...{ Type: "tmpfs", Target: "/t" },
      TmpfsOptions: { SizeBytes: 4096, Mode: 0o700, Options: [["noexec"]] },
    },
  ],
  MaskedPaths: ["/proc/x"],
  ReadonlyPaths: ["/proc/y"],
  Init: true,
};

const configSamples: Json = {
  Hostname: "box",
  Domainname: "example",
  User: "7",
  AttachStdin: true,
  AttachStdout: true,
  AttachStderr: true,
  ExposedPorts: { "80/tcp": {} },
  Tty: true,
  OpenStdin: true,
  StdinOnce: true,
  Env: ["A=b"],
  Cmd: ["ls"],
  Healthcheck: {
    ...{ Test: ["CMD", "x"], Interval: 1e6, Timeout: 1e6, Retries: 1 },
    ...{ StartPeriod: 1e6, StartInterval: 1e6 },
  },
  ArgsEscaped: true,
  Image: "other",
  Volumes: { "/v": {} },
  WorkingDir: "/w",
  Entrypoint: ["sh"],
  NetworkDisabled: true,
  MacAddress: "02:00:00:00:00:01",
  OnBuild: ["RUN x"],
  Labels: { a: "b" },
  StopSignal: "SIGINT",
  StopTimeout: 3,
  Shell: ["sh"],
};

const endpointSamples: Json = {
  IPAMConfig: { IPv4Address: "10.0.0.2", IPv6Address: "fd00::2", LinkLocalIPs: ["169.254.0.2"] },
  Links: ["a:b"],
  Aliases: ["a"],
  MacAddress: "02:00:00:00:00:01",
  DriverOpts: { a: "b" },
  GwPriority: 1,
};

/** Sent back by clients that copy an inspect; Docker's engine finds them out itself. */
const ignoredOfEndpoint = ["NetworkID", "IPAddress"];

function endpoint(settings: Json): Json {
  return { NetworkingConfig: { EndpointsConfig: { bridge: settings } } };
}

/** What a body comes to: the refusal, or everything that the engine and inspect make of it. */
function outcome(body: Json): string {
  try {
    const bytes = Buffer.from(JSON.stringify({ Image: "image", Cmd: ["true"], ...body }));
    const sent = sentOf(parseJsonBody(bytes, containerCreateSchema));
    checkSent(sent, { cpus: 4 });
    const { config, host, argv } = describeContainer(sent, {});
    const shown = [inspectConfig(config, sent), inspectHostConfig(host, sent)];
    const networks = endpointsOf(host.NetworkMode, sent.NetworkingConfig);
    return JSON.stringify([config, host, argv, shown, networks]);
  } catch (error) {
    const { code, message } = faultOf(error);
    return `${code}: ${message}`;
  }
}

/** The same body with every name of a field written in small letters; keys of maps stay. */
function inSmallLetters(value: unknown, shape: Node): unknown {
  const { def } = shape;
  if (def.innerType) return inSmallLetters(value, def.innerType);
  if (Array.isArray(value))
    return value.map((item) => (def.element ? inSmallLetters(item, def.element) : item));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => {
      if (def.valueType) return [key, inSmallLetters(item, def.valueType)];
      const field = def.shape?.[key];
      return field ? [key.toLowerCase(), inSmallLetters(item, field)] : [key, item];
    }),
  );
}

interface Node {
  readonly def: {
    readonly innerType?: Node;
    readonly element?: Node;
    readonly valueType?: Node;
    readonly shape?: Readonly<Record<string, Node>>;
  };
}

const root = containerCreateSchema as unknown as Node;

/** The paths of all fields below a node, with maps and lists passed through. */
function fieldsOf({ def }: Node, path = ""): string[] {
  const inner = def.innerType ?? def.element ?? def.valueType;
  if (inner) return fieldsOf(inner, path);
  const below = Object.entries(def.shape ?? {});
  if (below.length === 0) return [path];
  return below.flatMap(([name, node]) => fieldsOf(node, path === "" ? name : `${path}.${name}`));
}

/** The paths that a value sets; keys of maps and numbers of lists are passed through. */
function pathsOf(value: unknown, node: Node, path = ""): string[] {
  const { def } = node;
  if (def.innerType) return pathsOf(value, def.innerType, path);
  if (Array.isArray(value) && def.element)
    return value.flatMap((item) => pathsOf(item, def.element as Node, path));
  if (typeof value !== "object" || value === null) return [path];
  if (def.valueType)
    return Object.values(value).flatMap((item) => pathsOf(item, def.valueType as Node, path));
  if (!def.shape) return [path];
  return Object.entries(value).flatMap(([name, item]) =>
    pathsOf(item, def.shape?.[name] as Node, path === "" ? name : `${path}.${name}`),
  );
}

const samples: readonly (readonly [string, Json])[] = [
  ...Object.entries(configSamples).map(([name, value]) => [name, { [name]: value }] as const),
  ...Object.entries(hostSamples).map(
    ([name, value]) => [`HostConfig.${name}`, { HostConfig: { [name]: value } }] as const,
  ),
  ...Object.entries(endpointSamples).map(
    ([name, value]) => [`an endpoint's ${name}`, endpoint({ [name]: value })] as const,
  ),
];

test("every field that the schema knows has a sample", () => {
  const covered = new Set(samples.flatMap(([, body]) => pathsOf(body, root)));
  const missing = fieldsOf(root).filter((path) => !covered.has(path));
  expect(missing).toEqual([
    "HostConfig.Mounts.ClusterOptions",
    ...ignoredOfEndpoint.map((name) => `NetworkingConfig.EndpointsConfig.${name}`),
  ]);
});

test.each(samples)("%s is honoured or refused by name, in any spelling", (name, body) => {
  const result = outcome(body);
  const field = name.replace(/^.*[. ]/, "");
  if (result.startsWith("unsupported: "))
    expect(result.toLowerCase()).toContain(field.toLowerCase());
  else expect(result).not.toStartWith("invalid");
  expect(result).not.toBe(outcome({}));
  expect(outcome(inSmallLetters(body, root) as Json)).toBe(result);
});

test.each([
  ["Memory", { HostConfig: { memory: 20_000_000, privileged: true, readonlyrootfs: true } }],
])("HostConfig in small letters has the effect of Docker's spelling", (_, body) => {
  expect(outcome(body)).toBe(
    outcome({ HostConfig: { Memory: 20_000_000, Privileged: true, ReadonlyRootfs: true } }),
  );
});

test("of two spellings of one field the last one counts, as in Go", () => {
  expect(outcome({ HostConfig: { Memory: 7 << 20, memory: 9 << 20 } })).toBe(
    outcome({ HostConfig: { Memory: 9 << 20 } }),
  );
});
