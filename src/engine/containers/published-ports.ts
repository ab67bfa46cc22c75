import { type ContainerId, Fault, isFault } from "#base";
import { type HostConfig, networkModeOf, wantedPorts } from "#container";
import { openProcess } from "#kernel";
import type { Publication, WantedPort } from "#network";
import type { Task } from "#task";
import type { NetworkAttachment } from "../contract.ts";
import type { Parts } from "../parts.ts";
import type { ContainerRecord } from "./container-record.ts";
import { gatewayOf, type OpenSandbox } from "./sandbox.ts";

/** The published ports of a run, which are made while the rest of the start goes on; disposing gives them back. */
export interface RunPorts extends AsyncDisposable {
  /** They are reachable; or the fault of one that cannot be had, in Docker's words. */
  readonly ready: Promise<void>;
  /** From now on they live as long as the task's process. */
  hold(task: Pick<Task, "pid" | "startTime">): void;
  /** In the transaction that records the start. */
  record(): void;
  /** Before the end of the run is told. */
  withdraw(): Promise<void>;
}

const none: RunPorts = {
  ready: Promise.resolve(),
  hold: () => undefined,
  record: () => undefined,
  withdraw: async () => undefined,
  [Symbol.asyncDispose]: async () => undefined,
};

class PublishedRun implements RunPorts {
  readonly ready: Promise<void>;
  readonly #publishing: Promise<Publication>;
  #publication: Publication | undefined;

  constructor(publishing: Promise<Publication>) {
    this.#publishing = publishing;
    this.ready = publishing.then((publication) => {
      this.#publication = publication;
    });
    // A start that fails for another reason looks at neither.
    this.ready.catch(() => undefined);
  }

  hold({ pid, startTime }: Pick<Task, "pid" | "startTime">): void {
    using process = openProcess(pid, startTime);
    this.#publication?.hold(process);
  }

  record(): void {
    this.#publication?.record();
  }

  async withdraw(): Promise<void> {
    const publication = await this.#publishing.catch(() => undefined);
    await publication?.withdraw();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.withdraw();
  }
}

/** What the creator of a container is told of ports that will not be published. */
export function portWarnings({ PortBindings, NetworkMode }: HostConfig): readonly string[] {
  return NetworkMode === "host" && PortBindings.length > 0
    ? ["Published ports are discarded when using host network mode"]
    : [];
}

/** Publishes the ports that a container asks for; nothing comes in by an internal network. */
export function publishPorts(
  parts: Parts<"ports" | "store" | "networks">,
  record: ContainerRecord,
  { stored }: OpenSandbox,
): RunPorts {
  const { config, host } = record;
  if (networkModeOf(host).kind !== "bridge") return none;
  const ports = wantedPorts(config, host);
  const endpoint = ports.length > 0 ? gatewayOf(parts, stored.endpoints) : undefined;
  return endpoint ? new PublishedRun(publish(parts, record, { endpoint, ports })) : none;
}

async function publish(
  parts: Parts<"ports" | "store">,
  { id, name }: ContainerRecord,
  run: { readonly endpoint: NetworkAttachment; readonly ports: readonly WantedPort[] },
): Promise<Publication> {
  const { address, endpointId } = run.endpoint;
  const nameOf = (container: string) =>
    parts.store.get(container as ContainerId)?.name ?? container;
  try {
    return await parts.ports.publish({ container: id, address, ports: run.ports, nameOf });
  } catch (error) {
    if (!isFault(error) || error.errno === undefined) throw error;
    throw new Fault(
      "internal",
      `failed to set up container networking: driver failed programming external connectivity on endpoint ${name} (${endpointId}): ${error.message}`,
      { cause: error, errno: error.errno },
    );
  }
}

/** The ports of a container that runs on from an earlier life of the engine. */
export function adoptPorts(parts: Parts<"ports">, { id }: ContainerRecord): RunPorts {
  const publication = parts.ports.adopt(id);
  return publication ? new PublishedRun(Promise.resolve(publication)) : none;
}
