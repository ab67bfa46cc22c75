import { type ContainerId, Fault, isFault } from "#base";
import { type HostConfig, networkModeOf, wantedPorts } from "#container";
import { openProcess } from "#kernel";
import type { Publication } from "#network";
import type { Task } from "#task";
import type { Parts } from "../parts.ts";
import type { ContainerRecord } from "./container-record.ts";
import { gatewayOf, type OpenSandbox } from "./sandbox.ts";

/** The published ports of a run; disposing gives them back. */
export interface RunPorts extends AsyncDisposable {
  /** From now on they live as long as the task's process. */
  hold(task: Pick<Task, "pid" | "startTime">): Promise<void>;
  /** In the transaction that records the start. */
  record(): void;
  /** Before the end of the run is told. */
  withdraw(): Promise<void>;
}

const none: RunPorts = {
  hold: async () => undefined,
  record: () => undefined,
  withdraw: async () => undefined,
  [Symbol.asyncDispose]: async () => undefined,
};

function runPorts(publication: Publication | undefined): RunPorts {
  if (!publication) return none;
  return {
    async hold({ pid, startTime }) {
      using process = openProcess(pid, startTime);
      await publication.hold(process);
    },
    record: () => publication.record(),
    withdraw: () => publication.withdraw(),
    [Symbol.asyncDispose]: () => publication.withdraw(),
  };
}

/** What the creator of a container is told of ports that will not be published. */
export function portWarnings({ PortBindings, NetworkMode }: HostConfig): readonly string[] {
  return NetworkMode === "host" && PortBindings.length > 0
    ? ["Published ports are discarded when using host network mode"]
    : [];
}

/** Publishes the ports that a container asks for; the fault of one that cannot be had is in Docker's words. */
export async function publishPorts(
  parts: Parts<"ports" | "store" | "networks">,
  { id, name, config, host }: ContainerRecord,
  { stored }: OpenSandbox,
): Promise<RunPorts> {
  if (networkModeOf(host).kind !== "bridge") return none;
  const ports = wantedPorts(config, host);
  if (ports.length === 0) return none;
  // Nothing comes in by an internal network.
  const endpoint = gatewayOf(parts, stored.endpoints);
  if (endpoint === undefined) return none;
  const nameOf = (container: string) =>
    parts.store.get(container as ContainerId)?.name ?? container;
  try {
    const { address } = endpoint;
    return runPorts(await parts.ports.publish({ container: id, address, ports, nameOf }));
  } catch (error) {
    if (!isFault(error) || error.errno === undefined) throw error;
    throw new Fault(
      "internal",
      `failed to set up container networking: driver failed programming external connectivity on endpoint ${name} (${endpoint.endpointId}): ${error.message}`,
      { cause: error, errno: error.errno },
    );
  }
}

/** The ports of a container that runs on from an earlier life of the engine. */
export function adoptPorts(parts: Parts<"ports">, { id }: ContainerRecord): RunPorts {
  return runPorts(parts.ports.adopt(id));
}
