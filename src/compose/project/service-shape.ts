import type { Mapping } from "#yaml";

import { blkio, build, deploy, develop, deviceRequest, hook } from "./part-shapes.ts";
import {
  bytes,
  command,
  fileMode,
  healthTest,
  hosts,
  maybeDuration,
  maybePairs,
  pairsShape,
  textsOrNumbers,
  ulimit,
} from "./scalars.ts";
import {
  type Field,
  flag,
  float,
  integer,
  listOf,
  mapOf,
  maybeFlag,
  maybeInteger,
  type Shape,
  structure,
  text,
  texts,
  unsigned,
} from "./shape.ts";

const stringMap = pairsShape(mapOf(text));
const nothingOrText = {
  ...text,
  print: (value: unknown) => (value === null ? null : String(value)),
} as typeof text;

/** References of a service to secrets and configs. */
const fileReference = structure([
  ["source", text],
  ["target", text],
  ["uid", text],
  ["gid", text],
  ["mode", fileMode],
]);

const healthcheck = structure([
  ["test", healthTest],
  ["timeout", maybeDuration],
  ["interval", maybeDuration],
  ["retries", maybeInteger],
  ["start_period", maybeDuration],
  ["start_interval", maybeDuration],
  ["disable", flag],
]);

const network = structure([
  ["aliases", texts],
  ["driver_opts", stringMap],
  ["gw_priority", integer],
  ["interface_name", text],
  ["ipv4_address", text],
  ["ipv6_address", text],
  ["link_local_ips", texts],
  ["mac_address", text],
  ["priority", integer],
]);

const port = structure([
  ["name", text],
  ["mode", text],
  ["host_ip", text],
  ["target", integer],
  ["published", text],
  ["protocol", text],
  ["app_protocol", text],
]);

const volume = structure([
  ["type", text],
  ["source", text],
  ["target", text],
  ["read_only", flag],
  ["consistency", text],
  [
    "bind",
    structure([
      ["selinux", text],
      ["propagation", text],
      ["create_host_path", flag],
      ["recursive", text],
    ]),
  ],
  [
    "volume",
    structure([
      ["labels", stringMap],
      ["nocopy", flag],
      ["subpath", text],
    ]),
  ],
  [
    "tmpfs",
    structure([
      ["size", bytes],
      ["mode", unsigned],
    ]),
  ],
  ["image", structure([["subpath", text]])],
]);

const dependency = structure([
  ["condition", text],
  ["restart", flag],
  ["required", flag, "always"],
]);

const device = structure([
  ["source", text],
  ["target", text],
  ["permissions", text],
]);

const envFileParts = structure([
  ["path", text],
  ["required", flag, "always"],
  ["format", text],
]);

/** JSON has the path alone of a file that must be there, and so has the hash. */
const envFile: Shape = {
  ...envFileParts,
  print(value, form) {
    const file = value as Mapping;
    const isPlain = form === "json" && file.get("required") === true;
    return isPlain ? text.print(file.get("path"), form) : envFileParts.print(file, form);
  },
};

const provider = structure([
  ["type", text],
  ["options", mapOf(textsOrNumbers)],
]);

/** The keys of a service in the order in which docker compose prints them, which its hash depends on. */
const serviceFields: readonly Field[] = [
  ["profiles", texts],
  ["annotations", stringMap],
  ["attach", maybeFlag],
  ["build", build],
  ["develop", develop],
  ["blkio_config", blkio],
  ["cap_add", texts],
  ["cap_drop", texts],
  ["cgroup_parent", text],
  ["cgroup", text],
  ["cpu_count", integer],
  ["cpu_percent", float],
  ["cpu_period", integer],
  ["cpu_quota", integer],
  ["cpu_rt_period", integer],
  ["cpu_rt_runtime", integer],
  ["cpus", float],
  ["cpuset", text],
  ["cpu_shares", integer],
  ["command", command, "json"],
  ["configs", listOf(fileReference)],
  ["container_name", text],
  [
    "credential_spec",
    structure([
      ["config", text],
      ["file", text],
      ["registry", text],
    ]),
  ],
  ["depends_on", mapOf(dependency)],
  ["deploy", deploy],
  ["device_cgroup_rules", texts],
  ["devices", listOf(device)],
  ["dns", texts],
  ["dns_opt", texts],
  ["dns_search", texts],
  ["dockerfile", text],
  ["domainname", text],
  ["entrypoint", command, "json"],
  ["provider", provider],
  ["environment", maybePairs(mapOf(nothingOrText))],
  ["env_file", listOf(envFile)],
  ["expose", textsOrNumbers],
  [
    "extends",
    structure([
      ["file", text],
      ["service", text],
    ]),
  ],
  ["external_links", texts],
  ["extra_hosts", hosts],
  ["group_add", texts],
  ["gpus", listOf(deviceRequest)],
  ["hostname", text],
  ["healthcheck", healthcheck],
  ["image", text],
  ["init", maybeFlag],
  ["ipc", text],
  ["isolation", text],
  ["labels", stringMap],
  ["label_file", texts],
  ["links", texts],
  [
    "logging",
    structure([
      ["driver", text],
      ["options", stringMap],
    ]),
  ],
  ["mem_limit", bytes],
  ["mem_reservation", bytes],
  ["memswap_limit", bytes],
  ["mem_swappiness", bytes],
  ["mac_address", text],
  ["network_mode", text],
  ["networks", mapOf(network)],
  ["oom_kill_disable", flag],
  ["oom_score_adj", integer],
  ["pid", text],
  ["pids_limit", integer],
  ["platform", text],
  ["ports", listOf(port)],
  ["privileged", flag],
  ["pull_policy", text],
  ["read_only", flag],
  ["restart", text],
  ["runtime", text],
  ["scale", maybeInteger],
  ["secrets", listOf(fileReference)],
  ["security_opt", texts],
  ["shm_size", bytes],
  ["stdin_open", flag],
  ["stop_grace_period", maybeDuration],
  ["stop_signal", text],
  ["storage_opt", stringMap],
  ["sysctls", stringMap],
  ["tmpfs", texts],
  ["tty", flag],
  ["ulimits", mapOf(ulimit)],
  ["use_api_socket", flag],
  ["user", text],
  ["userns_mode", text],
  ["uts", text],
  ["volumes", listOf(volume)],
  ["volumes_from", texts],
  ["working_dir", text],
  ["post_start", listOf(hook)],
  ["pre_stop", listOf(hook)],
];

/** A service. */
export const service = structure(serviceFields);
