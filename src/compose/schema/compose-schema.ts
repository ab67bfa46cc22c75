import { deployment, deviceRequests } from "./deploy-schema.ts";
import {
  choice,
  dictionary,
  flag,
  integer,
  list,
  mapping,
  number,
  oneOf,
  type Schema,
  set,
  strict,
  string,
  strings,
  type,
} from "./schema.ts";

const name = /^[a-zA-Z0-9._-]+$/;

const stringOrList = oneOf(string, strings);
const listOrDictionary = oneOf(
  dictionary(/.+/, type("string", "number", "boolean", "null"), true),
  strings,
);
const command = oneOf(type("null"), string, list(string));
const extraHosts = oneOf(dictionary(/.+/, oneOf(string, list(string)), true), strings);
const driverOptions = dictionary(/^.+$/, type("string", "number"));
const external: Schema = {
  ...mapping({ name: string }),
  types: ["boolean", "string", "object"],
};
const openExternal: Schema = { types: ["boolean", "string", "object"], keys: { name: string } };
const fileReferences = list(
  oneOf(
    string,
    mapping({ source: string, target: string, uid: string, gid: string, mode: number }),
  ),
);
const ulimits = dictionary(
  /^[a-z]+$/,
  oneOf(integer, mapping({ hard: integer, soft: integer }, ["soft", "hard"])),
);
const hook = mapping(
  {
    command,
    user: string,
    privileged: flag,
    working_dir: string,
    environment: listOrDictionary,
  },
  ["command"],
);

const build = oneOf(
  string,
  mapping({
    context: string,
    dockerfile: string,
    dockerfile_inline: string,
    entitlements: list(string),
    args: listOrDictionary,
    ssh: listOrDictionary,
    labels: listOrDictionary,
    cache_from: list(string),
    cache_to: list(string),
    no_cache: flag,
    additional_contexts: listOrDictionary,
    network: string,
    provenance: type("string", "boolean"),
    sbom: type("string", "boolean"),
    pull: flag,
    target: string,
    shm_size: integer,
    extra_hosts: extraHosts,
    isolation: string,
    privileged: flag,
    secrets: fileReferences,
    tags: list(string),
    ulimits,
    platforms: list(string),
  }),
);

const throttles = list(strict({ path: string, rate: integer }));

const volume = oneOf(
  string,
  mapping(
    {
      type: choice("bind", "volume", "tmpfs", "cluster", "npipe", "image"),
      source: string,
      target: string,
      read_only: flag,
      consistency: string,
      bind: mapping({
        propagation: string,
        create_host_path: flag,
        recursive: choice("enabled", "disabled", "writable", "readonly"),
        selinux: choice("z", "Z"),
      }),
      volume: mapping({ labels: listOrDictionary, nocopy: flag, subpath: string }),
      tmpfs: mapping({ size: oneOf({ types: ["integer"], least: 0 }, string), mode: number }),
      image: mapping({ subpath: string }),
    },
    ["type"],
  ),
);

const port = oneOf(
  type("number"),
  string,
  mapping({
    name: string,
    mode: string,
    host_ip: string,
    target: integer,
    published: type("string", "integer"),
    protocol: string,
    app_protocol: string,
  }),
);

const serviceNetworks = oneOf(
  strings,
  dictionary(
    name,
    oneOf(
      mapping({
        aliases: strings,
        interface_name: string,
        ipv4_address: string,
        ipv6_address: string,
        link_local_ips: strings,
        mac_address: string,
        driver_opts: driverOptions,
        priority: type("number"),
        gw_priority: type("number"),
      }),
      type("null"),
    ),
    true,
  ),
);

const dependsOn = oneOf(
  strings,
  dictionary(
    name,
    mapping(
      {
        restart: flag,
        required: type("boolean"),
        condition: choice("service_started", "service_healthy", "service_completed_successfully"),
      },
      ["condition"],
    ),
    true,
  ),
);

const develop: Schema = {
  ...mapping({
    watch: list(
      mapping(
        {
          ignore: stringOrList,
          include: stringOrList,
          path: string,
          action: choice("rebuild", "sync", "restart", "sync+restart", "sync+exec"),
          target: string,
          exec: hook,
          initial_sync: type("boolean"),
        },
        ["path", "action"],
      ),
    ),
  }),
  types: ["object", "null"],
};

const optionValue = type("string", "number", "boolean");

const service = mapping({
  develop,
  deploy: deployment(listOrDictionary),
  annotations: listOrDictionary,
  attach: flag,
  build,
  blkio_config: strict({
    device_read_bps: throttles,
    device_read_iops: throttles,
    device_write_bps: throttles,
    device_write_iops: throttles,
    weight: integer,
    weight_device: list(strict({ path: string, weight: integer })),
  }),
  cap_add: strings,
  cap_drop: strings,
  cgroup: choice("host", "private"),
  cgroup_parent: string,
  command,
  configs: fileReferences,
  container_name: { types: ["string"], pattern: "[a-zA-Z0-9][a-zA-Z0-9_.-]+" },
  cpu_count: oneOf(string, { types: ["integer"], least: 0 }),
  cpu_percent: oneOf(string, { types: ["integer"], least: 0, most: 100 }),
  cpu_shares: number,
  cpu_quota: number,
  cpu_period: number,
  cpu_rt_period: number,
  cpu_rt_runtime: number,
  cpus: number,
  cpuset: string,
  credential_spec: mapping({ config: string, file: string, registry: string }),
  depends_on: dependsOn,
  device_cgroup_rules: strings,
  devices: list(
    oneOf(string, mapping({ source: string, target: string, permissions: string }, ["source"])),
  ),
  dns: stringOrList,
  dns_opt: strings,
  dns_search: stringOrList,
  domainname: string,
  entrypoint: command,
  env_file: oneOf(
    string,
    list(oneOf(string, strict({ path: string, format: string, required: flag }, ["path"]))),
  ),
  label_file: oneOf(string, list(string)),
  environment: listOrDictionary,
  expose: set(type("string", "number")),
  extends: oneOf(string, strict({ service: string, file: string }, ["service"])),
  provider: mapping(
    { type: string, options: dictionary(/^.+$/, oneOf(optionValue, list(optionValue))) },
    ["type"],
  ),
  external_links: strings,
  extra_hosts: extraHosts,
  gpus: oneOf(choice("all"), list({ ...deviceRequests(listOrDictionary), closed: false })),
  group_add: set(type("string", "number")),
  healthcheck: mapping({
    disable: flag,
    interval: string,
    retries: number,
    test: oneOf(string, list(string)),
    timeout: string,
    start_period: string,
    start_interval: string,
  }),
  hostname: string,
  image: string,
  init: flag,
  ipc: string,
  isolation: string,
  labels: listOrDictionary,
  links: strings,
  logging: mapping({
    driver: string,
    options: dictionary(/^.+$/, type("string", "number", "null")),
  }),
  mac_address: string,
  mem_limit: number,
  mem_reservation: integer,
  mem_swappiness: integer,
  memswap_limit: number,
  network_mode: string,
  models: oneOf(
    strings,
    dictionary(name, oneOf(mapping({ endpoint_var: string, model_var: string }), type("null"))),
  ),
  networks: serviceNetworks,
  oom_kill_disable: flag,
  oom_score_adj: oneOf(string, { types: ["integer"], least: -1000, most: 1000 }),
  pid: type("string", "null"),
  pids_limit: number,
  platform: string,
  ports: set(port),
  post_start: list(hook),
  pre_stop: list(hook),
  privileged: flag,
  profiles: strings,
  pull_policy: {
    types: ["string"],
    pattern:
      "always|never|build|if_not_present|missing|refresh|daily|weekly|every_([0-9]+[wdhms])+",
  },
  pull_refresh_after: string,
  read_only: flag,
  restart: string,
  runtime: string,
  scale: integer,
  security_opt: strings,
  shm_size: number,
  secrets: fileReferences,
  sysctls: listOrDictionary,
  stdin_open: flag,
  stop_grace_period: string,
  stop_signal: string,
  storage_opt: type("object"),
  tmpfs: stringOrList,
  tty: flag,
  ulimits,
  use_api_socket: type("boolean"),
  user: string,
  uts: string,
  userns_mode: string,
  volumes: set(volume),
  volumes_from: strings,
  working_dir: string,
});

const texts = dictionary(/^.+$/, string, true);

const network: Schema = {
  ...mapping({
    name: string,
    driver: string,
    driver_opts: driverOptions,
    ipam: mapping({
      driver: string,
      config: list(
        mapping({ subnet: string, ip_range: string, gateway: string, aux_addresses: texts }),
      ),
      options: texts,
    }),
    external,
    internal: flag,
    enable_ipv4: flag,
    enable_ipv6: flag,
    attachable: flag,
    labels: listOrDictionary,
  }),
  types: ["object", "null"],
};

const namedVolume: Schema = {
  ...mapping({
    name: string,
    driver: string,
    driver_opts: driverOptions,
    external,
    labels: listOrDictionary,
  }),
  types: ["object", "null"],
};

const fileObject = {
  name: string,
  environment: string,
  file: string,
  external: openExternal,
  labels: listOrDictionary,
  template_driver: string,
};

/** What a whole compose file must be. */
export const composeSchema: Schema = mapping({
  version: string,
  name: string,
  include: list(
    oneOf(
      string,
      strict({ path: stringOrList, env_file: stringOrList, project_directory: string }),
    ),
  ),
  services: dictionary(name, service, true),
  models: dictionary(
    name,
    mapping(
      { name: string, model: string, context_size: type("integer"), runtime_flags: list(string) },
      ["model"],
    ),
  ),
  networks: dictionary(name, network),
  volumes: dictionary(name, namedVolume, true),
  secrets: dictionary(
    name,
    mapping({ ...fileObject, driver: string, driver_opts: driverOptions }),
    true,
  ),
  configs: dictionary(name, mapping({ ...fileObject, content: string }), true),
});
