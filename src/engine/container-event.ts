import type { ContainerRecord } from "./container-record.ts";
import type { EngineParts } from "./parts.ts";

/** Tells listeners what happened to a container, with the attributes Docker's events have. */
export function publishContainer(
  parts: EngineParts,
  record: ContainerRecord,
  action: string,
  extra: Readonly<Record<string, string>> = {},
): void {
  parts.events.publish("container", action, record.id, {
    ...record.config.labels,
    image: record.config.image,
    name: record.name,
    ...extra,
  });
}
