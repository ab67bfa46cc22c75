import type { ContainerConfig, CreateRequest, HostConfig } from "#engine";

/** A create request as the docker CLI sends it for `docker create IMAGE COMMAND...`. */
export function createRequest(
  image: string,
  cmd: readonly string[],
  change: {
    readonly name?: string;
    readonly platform?: string;
    readonly config?: Partial<ContainerConfig>;
    readonly host?: Partial<HostConfig>;
  } = {},
): CreateRequest {
  return {
    ...(change.name !== undefined && { name: change.name }),
    ...(change.platform !== undefined && { platform: change.platform }),
    owner: { uid: 0, gid: 0 },
    config: {
      image,
      hostname: "",
      domainname: "",
      user: "",
      tty: false,
      openStdin: false,
      stdinOnce: false,
      attachStdin: false,
      attachStdout: true,
      attachStderr: true,
      env: [],
      cmd,
      workingDir: "",
      labels: {},
      exposedPorts: [],
      volumes: [],
      ...change.config,
    },
    host: {
      binds: [],
      tmpfs: [],
      autoRemove: false,
      privileged: false,
      init: false,
      readonlyRootfs: false,
      capAdd: [],
      capDrop: [],
      networkMode: "default",
      ipcMode: "",
      pidMode: "",
      utsMode: "",
      cgroupnsMode: "",
      cgroupParent: "",
      memory: 0,
      memorySwap: 0,
      memoryReservation: 0,
      oomKillDisable: false,
      oomScoreAdj: 0,
      nanoCpus: 0,
      cpuShares: 0,
      cpuPeriod: 0,
      cpuQuota: 0,
      cpusetCpus: "",
      cpusetMems: "",
      pidsLimit: 0,
      ulimits: [],
      devices: [],
      groupAdd: [],
      securityOpt: [],
      sysctls: {},
      shmSize: 0,
      dns: [],
      dnsSearch: [],
      dnsOptions: [],
      extraHosts: [],
      logDriver: "json-file",
      logOptions: {},
      ...change.host,
    },
  };
}
