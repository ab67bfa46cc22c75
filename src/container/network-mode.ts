import type { HostConfig } from "./host-options.ts";

/** The network that a container is in. */
export type NetworkMode =
  | { readonly kind: "none" }
  | { readonly kind: "host" }
  /** Networks by name, the one with the default route first. */
  | { readonly kind: "bridge"; readonly networks: readonly string[] }
  /** The namespace of another container; its id, once the container is created. */
  | { readonly kind: "container"; readonly id: string };

const shared = "container:";

/** The network mode of Docker's HostConfig: "default", "bridge", "none", "host" or "container:ID". */
export function networkModeOf({ NetworkMode }: Pick<HostConfig, "NetworkMode">): NetworkMode {
  if (NetworkMode === "none" || NetworkMode === "host") return { kind: NetworkMode };
  if (NetworkMode.startsWith(shared)) {
    return { kind: "container", id: NetworkMode.slice(shared.length) };
  }
  return { kind: "bridge", networks: [NetworkMode === "default" ? "bridge" : NetworkMode] };
}

/**
 * The names under which Docker lists the networks of a mode; empty when another container's network
 * is shared.
 */
export function networkNames(mode: NetworkMode): readonly string[] {
  if (mode.kind === "bridge") return mode.networks;
  return mode.kind === "container" ? [] : [mode.kind];
}
