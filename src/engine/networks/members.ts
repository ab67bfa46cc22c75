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
    return [{ ...endpoint, container, name: record.name }];
  });
}
