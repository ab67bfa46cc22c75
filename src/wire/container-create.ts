import { z } from "zod";
import {
  argv,
  flag,
  keySet,
  list,
  longTexts,
  text,
  textMap,
  texts,
  whole,
} from "./schema-parts.ts";

const portBindings = z
  .record(z.string(), list(z.looseObject({ HostIp: text, HostPort: text })))
  .nullish();

const healthcheck = z.looseObject({
  Test: longTexts,
  Interval: whole,
  Timeout: whole,
  Retries: whole,
  StartPeriod: whole,
  StartInterval: whole,
});

const throttle = list(z.looseObject({ Path: text, Rate: whole }));

const mount = z.looseObject({
  Type: text,
  Source: text,
  Target: text,
  ReadOnly: flag,
  Consistency: text,
  BindOptions: z
    .looseObject({
      Propagation: text,
      NonRecursive: flag,
      CreateMountpoint: flag,
      ReadOnlyNonRecursive: flag,
      ReadOnlyForceRecursive: flag,
    })
    .nullish(),
  TmpfsOptions: z
    .looseObject({ SizeBytes: whole, Mode: whole, Options: list(z.array(z.string())) })
    .nullish(),
});

export const hostConfigSchema = z.looseObject({
  Binds: texts,
  ContainerIDFile: text,
  LogConfig: z.looseObject({ Type: text, Config: textMap }).nullish(),
  NetworkMode: text,
  PortBindings: portBindings,
  RestartPolicy: z.looseObject({ Name: text, MaximumRetryCount: whole }).nullish(),
  AutoRemove: flag,
  VolumeDriver: text,
  VolumesFrom: texts,
  ConsoleSize: z.array(z.int()).max(2).nullish(),
  Annotations: textMap,
  CapAdd: texts,
  CapDrop: texts,
  CgroupnsMode: text,
  Dns: texts,
  DnsOptions: texts,
  DnsSearch: texts,
  ExtraHosts: texts,
  GroupAdd: texts,
  IpcMode: text,
  Cgroup: text,
  Links: texts,
  OomScoreAdj: whole,
  PidMode: text,
  Privileged: flag,
  PublishAllPorts: flag,
  ReadonlyRootfs: flag,
  SecurityOpt: texts,
  StorageOpt: textMap,
  Tmpfs: textMap,
  UTSMode: text,
  UsernsMode: text,
  ShmSize: whole,
  Sysctls: textMap,
  Runtime: text,
  Isolation: text,
  CpuShares: whole,
  Memory: whole,
  NanoCpus: whole,
  CgroupParent: text,
  BlkioWeight: whole,
  BlkioWeightDevice: list(z.looseObject({ Path: text, Weight: whole })),
  BlkioDeviceReadBps: throttle,
  BlkioDeviceWriteBps: throttle,
  BlkioDeviceReadIOps: throttle,
  BlkioDeviceWriteIOps: throttle,
  CpuPeriod: whole,
  CpuQuota: whole,
  CpuRealtimePeriod: whole,
  CpuRealtimeRuntime: whole,
  CpusetCpus: text,
  CpusetMems: text,
  Devices: list(
    z.looseObject({ PathOnHost: text, PathInContainer: text, CgroupPermissions: text }),
  ),
  DeviceCgroupRules: texts,
  DeviceRequests: list(z.looseObject({ Driver: text, Count: whole, DeviceIDs: texts })),
  KernelMemory: whole,
  KernelMemoryTCP: whole,
  MemoryReservation: whole,
  MemorySwap: whole,
  MemorySwappiness: whole,
  OomKillDisable: flag,
  Init: flag,
  PidsLimit: whole,
  Ulimits: list(z.looseObject({ Name: z.string(), Soft: whole, Hard: whole })),
  CpuCount: whole,
  CpuPercent: whole,
  IOMaximumIOps: whole,
  IOMaximumBandwidth: whole,
  Mounts: list(mount),
  MaskedPaths: texts,
  ReadonlyPaths: texts,
});

const endpoint = z.looseObject({
  IPAMConfig: z
    .looseObject({ IPv4Address: text, IPv6Address: text, LinkLocalIPs: texts })
    .nullish(),
  Links: texts,
  Aliases: texts,
  MacAddress: text,
  DriverOpts: textMap,
  NetworkID: text,
  IPAddress: text,
});

/** The body of POST /containers/create: Config, with HostConfig and NetworkingConfig inside. */
export const containerCreateSchema = z.looseObject({
  Hostname: text,
  Domainname: text,
  User: text,
  AttachStdin: flag,
  AttachStdout: flag,
  AttachStderr: flag,
  ExposedPorts: keySet,
  Tty: flag,
  OpenStdin: flag,
  StdinOnce: flag,
  Env: longTexts,
  Cmd: argv,
  Healthcheck: healthcheck.nullish(),
  ArgsEscaped: flag,
  Image: text,
  Volumes: keySet,
  WorkingDir: text,
  Entrypoint: argv,
  NetworkDisabled: flag,
  MacAddress: text,
  OnBuild: texts,
  Labels: textMap,
  StopSignal: text,
  StopTimeout: whole,
  Shell: texts,
  HostConfig: hostConfigSchema.nullish(),
  NetworkingConfig: z
    .looseObject({ EndpointsConfig: z.record(z.string(), endpoint.nullish()).nullish() })
    .nullish(),
});

export type ContainerCreateBody = z.infer<typeof containerCreateSchema>;
export type HostConfigBody = z.infer<typeof hostConfigSchema>;
export type MountBody = z.infer<typeof mount>;
export type EndpointBody = z.infer<typeof endpoint>;
