import {
  choice,
  integer,
  list,
  mapping,
  number,
  type Schema,
  string,
  strings,
  type,
} from "./schema.ts";

const updates = mapping({
  parallelism: integer,
  delay: string,
  failure_action: string,
  monitor: string,
  max_failure_ratio: number,
  order: choice("start-first", "stop-first"),
});

/** A request for devices, as GPUs. */
export const deviceRequests = (listOrDictionary: Schema): Schema =>
  mapping({
    capabilities: strings,
    count: type("string", "integer"),
    device_ids: strings,
    driver: string,
    options: listOrDictionary,
  });

/** The key "deploy" of a service. */
export const deployment = (listOrDictionary: Schema): Schema => ({
  ...mapping({
    mode: string,
    endpoint_mode: string,
    replicas: integer,
    labels: listOrDictionary,
    rollback_config: updates,
    update_config: updates,
    resources: mapping({
      limits: mapping({ cpus: number, memory: string, pids: integer }),
      reservations: mapping({
        cpus: number,
        memory: string,
        generic_resources: list(
          mapping({ discrete_resource_spec: mapping({ kind: string, value: number }) }),
        ),
        devices: list({ ...deviceRequests(listOrDictionary), required: ["capabilities"] }),
      }),
    }),
    restart_policy: mapping({
      condition: string,
      delay: string,
      max_attempts: integer,
      window: string,
    }),
    placement: mapping({
      constraints: list(string),
      preferences: list(mapping({ spread: string })),
      max_replicas_per_node: integer,
    }),
  }),
  types: ["object", "null"],
});
