import type { Parts } from "../parts.ts";
import type { ContainerRecord } from "./container-record.ts";
import type { StoredSandbox } from "./sandbox-store.ts";

/** Tells listeners what happened to a container, with the attributes Docker's events have. */
export function publishContainer(
  parts: Parts<"events">,
  record: ContainerRecord,
  action: string,
  extra: Readonly<Record<string, string>> = {},
): void {
  parts.events.publish("container", action, record.id, {
    ...record.config.Labels,
    image: record.config.Image,
    name: record.name,
    ...extra,
  });
}

/** Tells that a container joined or left its networks. */
export function publishNetworks(
  parts: Parts<"events">,
  sandbox: StoredSandbox | undefined,
  action: "connect" | "disconnect",
): void {
  for (const { network, networkId, endpointId } of sandbox?.endpoints ?? []) {
    if (endpointId === "") continue;
    const type = drivers[network] ?? "bridge";
    const attributes = { container: sandbox?.container ?? "", name: network, type };
    parts.events.publish("network", action, networkId, attributes);
  }
}

const drivers: Readonly<Record<string, string>> = { host: "host", none: "null" };
