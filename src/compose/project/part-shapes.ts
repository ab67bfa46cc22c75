import {
  bytes,
  command,
  deviceCount,
  duration,
  fileMode,
  hosts,
  maybeDuration,
  maybePairs,
  pairsShape,
  ssh,
  ulimit,
} from "./scalars.ts";
import {
  embedded,
  flag,
  float,
  integer,
  listOf,
  mapOf,
  maybeInteger,
  structure,
  text,
  texts,
} from "./shape.ts";

const stringMap = pairsShape(mapOf(text));
const textOrNull = {
  ...text,
  print: (value: unknown) => (value === null ? null : String(value)),
} as typeof text;

const fileReference = structure([
  ["source", text],
  ["target", text],
  ["uid", text],
  ["gid", text],
  ["mode", fileMode],
]);

/** The key "build". */
export const build = structure([
  ["context", text],
  ["dockerfile", text],
  ["dockerfile_inline", text],
  ["entitlements", texts],
  ["args", maybePairs(mapOf(textOrNull))],
  ["provenance", text],
  ["sbom", text],
  ["ssh", ssh],
  ["labels", stringMap],
  ["cache_from", texts],
  ["cache_to", texts],
  ["no_cache", flag],
  ["additional_contexts", stringMap],
  ["pull", flag],
  ["extra_hosts", hosts],
  ["isolation", text],
  ["network", text],
  ["target", text],
  ["secrets", listOf(fileReference)],
  ["shm_size", bytes],
  ["tags", texts],
  ["ulimits", mapOf(ulimit)],
  ["platforms", texts],
  ["privileged", flag],
]);

/** A command that runs in a container when it has started or before it stops. */
export const hook = structure([
  ["command", command],
  ["user", text],
  ["privileged", flag],
  ["working_dir", text],
  ["environment", maybePairs(mapOf(textOrNull))],
]);

/** The key "develop". */
export const develop = structure([
  [
    "watch",
    listOf(
      structure([
        ["path", text],
        ["action", text],
        ["target", text],
        ["exec", embedded(hookFields())],
        ["include", texts],
        ["ignore", texts],
        ["initial_sync", flag],
      ]),
    ),
  ],
]);

function hookFields() {
  return [
    ["command", command, "json"],
    ["user", text],
    ["privileged", flag],
    ["working_dir", text],
    ["environment", maybePairs(mapOf(textOrNull))],
  ] as const;
}

const weight = structure([
  ["path", text, "always", "Path"],
  ["weight", integer, "always", "Weight"],
]);
const throttle = structure([
  ["path", text, "always", "Path"],
  ["rate", bytes, "always", "Rate"],
]);

/** The key "blkio_config". */
export const blkio = structure([
  ["weight", integer],
  ["weight_device", listOf(weight)],
  ["device_read_bps", listOf(throttle)],
  ["device_read_iops", listOf(throttle)],
  ["device_write_bps", listOf(throttle)],
  ["device_write_iops", listOf(throttle)],
]);

/** A request for devices. */
export const deviceRequest = structure([
  ["capabilities", texts],
  ["driver", text],
  ["count", deviceCount],
  ["device_ids", texts],
  ["options", stringMap],
]);

const updates = structure([
  ["parallelism", maybeInteger],
  ["delay", duration],
  ["failure_action", text],
  ["monitor", duration],
  ["max_failure_ratio", float],
  ["order", text],
]);

const resource = structure([
  ["cpus", float],
  ["memory", bytes],
  ["pids", integer],
  ["devices", listOf(deviceRequest)],
  [
    "generic_resources",
    listOf(
      structure([
        [
          "discrete_resource_spec",
          structure([
            ["kind", text, "always"],
            ["value", integer, "always"],
          ]),
        ],
      ]),
    ),
  ],
]);

/** The key "deploy". */
export const deploy = structure([
  ["mode", text],
  ["replicas", maybeInteger],
  ["labels", stringMap],
  ["update_config", updates],
  ["rollback_config", updates],
  [
    "resources",
    embedded([
      ["limits", resource],
      ["reservations", resource],
    ]),
  ],
  [
    "restart_policy",
    structure([
      ["condition", text],
      ["delay", maybeDuration],
      ["max_attempts", maybeInteger],
      ["window", maybeDuration],
    ]),
  ],
  [
    "placement",
    embedded([
      ["constraints", texts],
      ["preferences", listOf(structure([["spread", text]]))],
      ["max_replicas_per_node", integer],
    ]),
  ],
  ["endpoint_mode", text],
]);
