import type { Parts } from "../parts.ts";
import type { NetworkMember } from "./network-contract.ts";

/** The running containers in a network. */
export function membersOf(
  parts: Parts<"store" | "sandboxes">,
  networkId: string,
): readonly NetworkMember[] {
  return parts.sandboxes.endpointsIn(networkId).flatMap(({ container, endpoint }) => {
    const record = parts.store.get(container);
    if (record === undefined || endpoint.endpointId === "") return [];
    const { endpointId, mac, address, prefixLength } = endpoint;
    return [{ container, name: record.name, endpointId, mac, address, prefixLength }];
  });
}
