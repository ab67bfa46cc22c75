import type { NetworkAttachment } from "../contract.ts";

/** The addresses of endpoints, IPv4 before IPv6 in each. */
export function addressesOf(
  endpoints: readonly Pick<NetworkAttachment, "address" | "address6">[],
): readonly string[] {
  return endpoints
    .flatMap(({ address, address6 }) => [address, address6])
    .filter((address) => address !== "");
}
