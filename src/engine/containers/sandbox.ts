import { Fault, isFault } from "#base";
import type { NamespaceKind } from "#helper";
import { type Fd, O_RDONLY, openat2, startTime } from "#kernel";
import type { NetworkAttachment } from "../contract.ts";
import type { EngineParts } from "../parts.ts";
import type { ContainerRecord } from "./container-record.ts";

/** The network of one run of a container. */
export interface Sandbox {
  /** Absent: the host's own. */
  readonly netns?: Fd;
  readonly attachment?: NetworkAttachment;
  /** Gives the address back; the namespace itself goes with its last process. */
  release(): void | Promise<void>;
}

/** Makes or joins the network namespace that a container's network mode asks for. */
export async function openSandbox(parts: EngineParts, record: ContainerRecord): Promise<Sandbox> {
  const mode = record.host.NetworkMode;
  if (mode === "host") return { attachment: plainAttachment("host"), release: () => undefined };
  if (mode === "none") {
    const netns = await parts.networks.isolated();
    return { netns, attachment: plainAttachment("none"), release: () => netns.close() };
  }
  if (mode.startsWith("container:")) {
    const netns = openNamespaceOf(parts, mode, "net", "network");
    return { netns, release: () => netns.close() };
  }
  const endpoint = await parts.networks.attach("bridge");
  const { networkId, address, prefixLength, gateway, mac, endpointId } = endpoint;
  return {
    netns: endpoint.netns,
    attachment: {
      network: "bridge",
      networkId,
      endpointId,
      address,
      prefixLength,
      gateway,
      mac,
    },
    release: () => parts.networks.release(endpoint),
  };
}

function plainAttachment(network: "host" | "none"): NetworkAttachment {
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

/** The container that "container:REF" names. That there is none is `invalid`: clients take `not_found` for the image's. */
export function joinedContainer(parts: EngineParts, mode: string): ContainerRecord {
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
  parts: EngineParts,
  mode: string,
  kind: NamespaceKind,
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
  return openNamespace(live, kind);
}

/** A namespace of a process, which is checked to be the one that was meant after it was opened. */
export function openNamespace(
  process: { readonly pid: number; readonly startTime: bigint },
  kind: NamespaceKind,
): Fd {
  const fd = openat2(undefined, `/proc/${process.pid}/ns/${kind}`, { flags: O_RDONLY });
  if (startTime(process.pid) === process.startTime) return fd;
  fd.close();
  throw new Fault("conflict", `process ${process.pid} has ended meanwhile`);
}
