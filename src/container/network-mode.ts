import type { HostConfig } from "./host-options.ts";

/** The network that a container is in. */
export type NetworkMode =
  | { readonly kind: "none" }
  | { readonly kind: "host" }
  /** A bridge network by name or id; the container may be in others besides, or instead. */
  | { readonly kind: "bridge"; readonly network: string }
  /** The namespace of another container; its id, once the container is created. */
  | { readonly kind: "container"; readonly id: string };

const shared = "container:";

/** The network mode of Docker's HostConfig: "default", "bridge", "none", "host" or "container:ID". */
export function networkModeOf({ NetworkMode }: Pick<HostConfig, "NetworkMode">): NetworkMode {
  if (NetworkMode === "none" || NetworkMode === "host") return { kind: NetworkMode };
  if (NetworkMode.startsWith(shared)) {
    return { kind: "container", id: NetworkMode.slice(shared.length) };
  }
  return { kind: "bridge", network: NetworkMode === "default" ? "bridge" : NetworkMode };
}
