import { networkModeOf } from "#container";
import type { Machine } from "#runtime";
import type { ContainerRecord } from "./container-record.ts";

/** What the user should know of a container that was created, in Docker's words. */
export function createWarnings(
  { host, sent }: Pick<ContainerRecord, "host" | "sent">,
  { blockWeights }: Pick<Machine, "blockWeights">,
): readonly string[] {
  const wanted: readonly (readonly [boolean, string])[] = [
    [
      networkModeOf(host).kind === "host" && host.PortBindings.length > 0,
      "Published ports are discarded when using host network mode",
    ],
    [
      Boolean(sent.Config.MacAddress),
      "The container-wide MacAddress field is now deprecated. It should be specified in EndpointsConfig instead.",
    ],
    [
      host.OomKillDisable && host.Memory === 0,
      "OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources.",
    ],
    [
      host.BlkioWeight > 0 && !blockWeights,
      "Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded.",
    ],
    [
      host.BlkioWeightDevice.length > 0 && !blockWeights,
      "Your kernel does not support Block I/O weight_device or the cgroup is not mounted. Weight-device discarded.",
    ],
  ];
  return wanted.flatMap(([holds, text]) => (holds ? [text] : []));
}
