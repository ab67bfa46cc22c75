import { z } from "zod";
import { Fault } from "#base";
import type { OciResources } from "#runtime";
import { type ConfigBody, configOptions } from "./config-options.ts";
import { checkSent, type Sent } from "./description.ts";
import { type HostConfig, type HostConfigBody, hostOptions } from "./host-options.ts";
import type { Options, SpecDraft } from "./option.ts";
import type { Limits } from "./rules.ts";

/** The fields of HostConfig that a container may change at any time, also while it runs. */
const changeable = [
  "CpuShares",
  "Memory",
  "NanoCpus",
  "CpuPeriod",
  "CpuQuota",
  "CpusetCpus",
  "CpusetMems",
  "MemoryReservation",
  "MemorySwap",
  "PidsLimit",
  "RestartPolicy",
] as const satisfies readonly (keyof HostConfig)[];

type Changeable = (typeof changeable)[number];

/** The fields of Docker's update that a container has for all its life, or that thimble lacks; clients send them empty. */
const fixed = [
  "BlkioWeight",
  "BlkioWeightDevice",
  "BlkioDeviceReadBps",
  "BlkioDeviceWriteBps",
  "BlkioDeviceReadIOps",
  "BlkioDeviceWriteIOps",
  "CgroupParent",
  "CpuCount",
  "CpuPercent",
  "CpuRealtimePeriod",
  "CpuRealtimeRuntime",
  "DeviceCgroupRules",
  "DeviceRequests",
  "Devices",
  "IOMaximumBandwidth",
  "IOMaximumIOps",
  "KernelMemory",
  "KernelMemoryTCP",
  "MemorySwappiness",
  "OomKillDisable",
  "Ulimits",
] as const satisfies readonly (keyof HostConfig)[];

/**
 * The body of POST /containers/{id}/update, and of ours the health check. What is absent, null or
 * zero stays as it is.
 */
export type ContainerUpdateBody = Partial<
  Pick<HostConfigBody, Changeable | (typeof fixed)[number]> & Pick<ConfigBody, "Healthcheck">
>;

const options = hostOptions as Options;
const shapes = {
  ...Object.fromEntries(
    [...changeable, ...fixed].map((name) => [name, hostOptions[name].shape.nullish()]),
  ),
  Healthcheck: configOptions.Healthcheck.shape.nullish(),
};

export const containerUpdateSchema = z.object(shapes) as unknown as z.ZodObject<
  z.ZodRawShape,
  z.core.$strip
> &
  z.ZodType<ContainerUpdateBody>;

/** A request with other limits, and what of them is to be set where the container runs. */
export interface Update {
  readonly sent: Sent;
  readonly resources: Omit<OciResources, "devices">;
}

/**
 * The container as it is after a change. `invalid` for what no container can have, `conflict` for
 * what does not go with what it has, `unsupported` for a field that cannot change; in Docker's words.
 */
export function updated(
  { sent, host }: { readonly sent: Sent; readonly host: HostConfig },
  { Healthcheck, ...body }: ContainerUpdateBody,
  limits: Limits,
): Update {
  const given = Object.fromEntries(
    Object.entries(body).filter(([, value]) => !isEmpty(value)),
  ) as ContainerUpdateBody;
  const refused = Object.keys(given).filter((name) => !changeable.includes(name as Changeable));
  if (refused.length > 0)
    throw new Fault("unsupported", `these cannot be changed: ${refused.join(", ")}`);
  checkConflicts(host, given);
  const changed: Sent = {
    ...sent,
    HostConfig: {
      ...sent.HostConfig,
      // What memory and swap are together was settled when the container was made.
      ...(host.MemorySwap !== 0 && { MemorySwap: host.MemorySwap }),
      ...given,
    },
    ...(Healthcheck && {
      Config: { ...sent.Config, Healthcheck: { ...sent.Config.Healthcheck, ...Healthcheck } },
    }),
  };
  const { host: after } = checkSent(changed, limits);
  return { sent: changed, resources: resourcesOf(after, given) };
}

function isEmpty(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  if (typeof value === "object" && value !== null && "Name" in value) return !value.Name;
  return value === null || value === undefined || value === 0 || value === "" || value === false;
}

function checkConflicts(host: HostConfig, given: ContainerUpdateBody): void {
  const conflicts: readonly (readonly [Changeable, Changeable, string, string])[] = [
    ["NanoCpus", "CpuPeriod", "Nano CPUs", "CPU Period"],
    ["NanoCpus", "CpuQuota", "Nano CPUs", "CPU Quota"],
    ["CpuPeriod", "NanoCpus", "CPU Period", "NanoCPUs"],
    ["CpuQuota", "NanoCpus", "CPU Quota", "NanoCPUs"],
  ];
  for (const [wanted, held, what, other] of conflicts) {
    if (Number(given[wanted] ?? 0) > 0 && Number(host[held]) > 0)
      throw new Fault(
        "conflict",
        `Conflicting options: ${what} cannot be updated as ${other} has already been set`,
      );
  }
  const { Memory = 0, MemorySwap = 0 } = given as { Memory?: number; MemorySwap?: number };
  if (Memory > host.MemorySwap && host.MemorySwap > 0 && MemorySwap === 0)
    throw new Fault(
      "conflict",
      "Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time",
    );
  const isKept = given.RestartPolicy?.Name && given.RestartPolicy.Name !== "no";
  if (isKept && host.AutoRemove)
    throw new Fault(
      "conflict",
      "Restart policy cannot be updated because AutoRemove is enabled for the container",
    );
}

/** The limits that the table's effects give for these fields; what ends a limit is told, too. */
function resourcesOf(host: HostConfig, given: ContainerUpdateBody): Update["resources"] {
  const draft = { resources: { memory: {}, cpu: {} } } as SpecDraft;
  for (const name of changeable) {
    const { effect } = options[name] ?? {};
    if (typeof effect === "function") effect(draft, host[name] as never, undefined as never);
  }
  const { memory, cpu, pids } = draft.resources;
  return {
    memory,
    cpu: { ...cpu, ...(Number(given.CpuQuota ?? 0) < 0 && { quota: -1 }) },
    ...(pids && { pids }),
    ...(Number(given.PidsLimit ?? 0) < 0 && { pids: { limit: -1 } }),
  };
}
