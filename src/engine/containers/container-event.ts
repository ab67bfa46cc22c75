import type { EngineParts } from "../parts.ts";
import type { ContainerRecord } from "./container-record.ts";

/** Tells listeners what happened to a container, with the attributes Docker's events have. */
export function publishContainer(
  parts: EngineParts,
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

/** Tells that a container joined or left the bridge. */
export function publishNetwork(
  parts: EngineParts,
  record: Pick<ContainerRecord, "id" | "network">,
  action: "connect" | "disconnect",
): void {
  if (!record.network?.networkId) return;
  const { network, networkId } = record.network;
  const attributes = { container: record.id, name: network, type: network };
  parts.events.publish("network", action, networkId, attributes);
}
