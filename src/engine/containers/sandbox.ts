import { type ContainerId, Fault, isFault, newId, type SandboxId } from "#base";
import { networkModeOf, networkNames } from "#container";
import type { Fd } from "#kernel";
import type { OciNamespaceType } from "#runtime";
import type { NetworkAttachment } from "../contract.ts";
import { crashPoint } from "../crash-point.ts";
import type { Parts } from "../parts.ts";
import type { ContainerRecord } from "./container-record.ts";
import type { StoredSandbox } from "./sandbox-store.ts";

/** A container's sandbox for one run. */
export interface OpenSandbox {
  /** Absent: the host's own, or one that an earlier life of the engine made. */
  readonly netns?: Fd;
  /** As it is to be stored, with the addresses of this run. */
  readonly stored: StoredSandbox;
  /** Gives the addresses back; the namespace itself goes with its last process. */
  release(): void;
}

/**
 * Makes or joins the network namespace that a container's network mode asks for: the
 * container's sandbox, which is made at the first start, with new endpoints. Nothing is
 * stored yet, so that a crash from here on leaves the sandbox as it was.
 */
export async function openSandbox(
  parts: Parts<"networks" | "store" | "sandboxes" | "live">,
  record: ContainerRecord,
): Promise<OpenSandbox> {
  const mode = networkModeOf(record.host);
  const id = parts.sandboxes.get(record.id)?.id ?? newId<SandboxId>();
  const sandbox = { id, container: record.id, mode };
  if (mode.kind === "bridge") return await attachAll(parts, sandbox, mode.networks);
  if (mode.kind === "container") {
    const netns = openNamespaceOf(parts, record.host.NetworkMode, "network", "network");
    return { netns, stored: { ...sandbox, endpoints: [] }, release: () => netns.close() };
  }
  const networkId = parts.networks.find(mode.kind).id;
  const endpoint = { ...emptyAttachment(mode.kind), networkId, endpointId: newId<SandboxId>() };
  const stored = { ...sandbox, endpoints: [endpoint] };
  if (mode.kind === "host") return { stored, release: () => undefined };
  const netns = await parts.networks.isolated();
  return { netns, stored, release: () => netns.close() };
}

/** A namespace with an interface in each network. */
async function attachAll(
  parts: Parts<"networks">,
  sandbox: Omit<StoredSandbox, "endpoints">,
  networks: readonly string[],
): Promise<OpenSandbox> {
  const [first = "", ...others] = networks;
  const { netns, ...endpoint } = await parts.networks.attach(first);
  const endpoints = [{ network: first, ...endpoint }];
  const release = () => {
    netns.close();
    for (const each of endpoints) parts.networks.release(each);
  };
  try {
    for (const [index, network] of others.entries()) {
      const { netns: _, ...joined } = await parts.networks.join(network, netns, `eth${index + 1}`);
      endpoints.push({ network, ...joined });
    }
  } catch (error) {
    release();
    throw error;
  }
  return { netns, stored: { ...sandbox, endpoints }, release };
}

/** The sandbox of a container that runs on from an earlier life of the engine. */
export function adoptSandbox(
  parts: Parts<"networks" | "sandboxes">,
  { id, host }: ContainerRecord,
): OpenSandbox {
  const stored = parts.sandboxes.get(id) ?? {
    id: newId<SandboxId>(),
    container: id,
    mode: networkModeOf(host),
    endpoints: [],
  };
  const used = stored.endpoints.filter(({ address }) => address !== "");
  for (const endpoint of used) parts.networks.adopt(endpoint);
  return {
    stored,
    release: () => {
      for (const endpoint of used) parts.networks.release(endpoint);
    },
  };
}

/** A run is over: the sandbox stays in its networks, without endpoints. */
export function leaveNetworks(parts: Parts<"sandboxes">, id: ContainerId): void {
  const sandbox = parts.sandboxes.get(id);
  if (!sandbox?.endpoints.some(({ endpointId }) => endpointId !== "")) return;
  const endpoints = sandbox.endpoints.map(({ network, networkId }) => ({
    ...emptyAttachment(network),
    networkId,
  }));
  parts.sandboxes.put({ ...sandbox, endpoints });
  crashPoint("exit:networks-left");
}

/** The networks a container is in, or will be in once it is started. */
export function networksOf(
  parts: Parts<"sandboxes">,
  { id, host }: ContainerRecord,
): readonly NetworkAttachment[] {
  const stored = parts.sandboxes.get(id)?.endpoints;
  return stored ?? networkNames(networkModeOf(host)).map(emptyAttachment);
}

function emptyAttachment(network: string): NetworkAttachment {
  return {
    network,
    networkId: "",
    endpointId: "",
    address: "",
    prefixLength: 0,
    gateway: "",
    mac: "",
  };
}

/** The container that "container:REF" names. A missing one is `invalid`: clients take `not_found` for the image's. */
export function joinedContainer(parts: Parts<"store">, mode: string): ContainerRecord {
  const ref = mode.slice("container:".length);
  try {
    return parts.store.find(ref);
  } catch (cause) {
    if (!isFault(cause, "not_found")) throw cause;
    throw new Fault("invalid", `joining namespaces of a container: No such container: ${ref}`, {
      about: ref,
      cause,
    });
  }
}

/** A namespace of the running container that "container:REF" names. */
export function openNamespaceOf(
  parts: Parts<"store" | "live">,
  mode: string,
  type: OciNamespaceType,
  what: string,
): Fd {
  const other = joinedContainer(parts, mode);
  const live = parts.live.get(other.id);
  if (!live || other.state.status !== "running") {
    throw new Fault(
      "conflict",
      `cannot join ${what} namespace of a non running container: ${other.id}`,
      { about: other.name },
    );
  }
  return live.task.openNamespace(type);
}
