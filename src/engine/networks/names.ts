import { shortId } from "#base";
import { readEndpoint } from "#container";
import type { ContainerRecord } from "../containers/container-record.ts";
import type { NetworkAttachment } from "../contract.ts";
import type { Parts } from "../parts.ts";
import { addressesOf } from "./endpoint-addresses.ts";

/**
 * The names of a container in a network, in Docker's order: its own, its aliases there, its short
 * id, its host name.
 */
export function namesOf(
  { id, name, config }: Pick<ContainerRecord, "id" | "name" | "config">,
  { settings }: Pick<NetworkAttachment, "settings">,
): readonly string[] {
  const all = [name, ...readEndpoint(settings).aliases, shortId(id), config.Hostname];
  return [...new Set(all.filter((each) => each !== ""))];
}

/** The addresses in a network by name; a name that several containers have stands for all of them. */
export function namesIn(
  parts: Parts<"store" | "sandboxes">,
  networkId: string,
): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  for (const { container, endpoint } of parts.sandboxes.endpointsIn(networkId)) {
    const record = parts.store.get(container);
    if (record === undefined) continue;
    const addresses = addressesOf([endpoint]);
    for (const name of addresses.length > 0 ? namesOf(record, endpoint) : [])
      found.set(name, [...(found.get(name) ?? []), ...addresses]);
  }
  return found;
}
