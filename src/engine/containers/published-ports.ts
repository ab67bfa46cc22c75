import { type ContainerId, Fault, isFault } from "#base";
import { networkModeOf, wantedPorts } from "#container";
import type { PortTarget, Publication, PublishedPort, WantedPort } from "#network";
import type { Task } from "#task";
import type { Parts } from "../parts.ts";
import type { ContainerRecord } from "./container-record.ts";
import type { LiveContainer } from "./live-container.ts";
import { gatewayOf, type OpenSandbox } from "./sandbox.ts";

/** The published ports of a run, which are made while the rest of the start goes on; disposing gives them back. */
export interface RunPorts extends AsyncDisposable {
  /** They are reachable; or the fault of one that cannot be had, in Docker's words. */
  readonly ready: Promise<void>;
  /** From now on they live as long as the task's process. */
  hold(task: Pick<Task, "pid" | "startTime">): void;
  /** In the transaction that records the start. */
  record(): void;
  /**
   * Leads them to the address that the container has in its networks now; without one they are
   * given back. Connections that are open stay as they are.
   */
  settle(live: Pick<LiveContainer, "task" | "sandbox">): Promise<void>;
  /**
   * Publishes more, all or none, and calls `also` in the transaction that records them. Gives none
   * for a container without an address that ports could lead to: its record says what it wants.
   */
  add(
    live: Pick<LiveContainer, "task" | "sandbox">,
    ports: readonly WantedPort[],
    also: () => void,
  ): Promise<readonly PublishedPort[]>;
  /** Takes some back, and calls `also` in the transaction that records it. */
  remove(ports: readonly PublishedPort[], also: () => void): Promise<void>;
  /** Before the end of the run is told. */
  withdraw(): Promise<void>;
}

type PortParts = Parts<"ports" | "store" | "networks">;

class PublishedRun implements RunPorts {
  readonly ready: Promise<void>;
  readonly #parts: PortParts;
  readonly #id: ContainerId;
  #publishing: Promise<Publication | undefined>;
  #publication: Publication | undefined;

  constructor(
    publishing: Promise<Publication | undefined>,
    parts: PortParts,
    { id }: Pick<ContainerRecord, "id">,
  ) {
    this.#parts = parts;
    this.#id = id;
    this.#publishing = publishing;
    this.ready = publishing.then((publication) => {
      this.#publication = publication;
    });
    // A start that fails for another reason looks at neither.
    this.ready.catch(() => undefined);
  }

  hold({ pid, startTime }: Pick<Task, "pid" | "startTime">): void {
    this.#publication?.hold({ pid, startTime });
  }

  record(): void {
    this.#publication?.record();
  }

  async settle({ task, sandbox }: Pick<LiveContainer, "task" | "sandbox">): Promise<void> {
    await this.ready;
    const target = entrance(this.#parts, sandbox.stored);
    const before = this.#publication;
    if (before?.address === target?.address && before?.address6 === target?.address6) return;
    if (target && before) return await before.move(target);
    await this.#publication?.withdraw({ endsProxy: true });
    this.#publication = undefined;
    await this.#publish(sandbox);
    this.record();
    this.hold(task);
  }

  async add(
    { task, sandbox }: Pick<LiveContainer, "task" | "sandbox">,
    ports: readonly WantedPort[],
    also: () => void,
  ): Promise<readonly PublishedPort[]> {
    await this.ready;
    const { store } = this.#parts;
    if (this.#publication)
      return await this.#publication.add({ ports, nameOf: nameOf(store), also });
    const publication = await this.#publish(sandbox, ports);
    if (publication === undefined) {
      also();
      return [];
    }
    publication.record(also);
    this.hold(task);
    return publication.ports;
  }

  async remove(ports: readonly PublishedPort[], also: () => void): Promise<void> {
    await this.ready;
    if (this.#publication) await this.#publication.remove(ports, also);
    else also();
  }

  async withdraw(): Promise<void> {
    const publication = await this.#publishing.catch(() => undefined);
    await publication?.withdraw();
  }

  async #publish(
    sandbox: OpenSandbox,
    ports?: readonly WantedPort[],
  ): Promise<Publication | undefined> {
    const record = this.#parts.store.find(this.#id);
    this.#publishing = publish(this.#parts, record, { sandbox, ports: ports ?? wantedBy(record) });
    this.#publication = await this.#publishing;
    return this.#publication;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.withdraw();
  }
}

/** Publishes the ports that a container asks for; nothing comes in by an internal network. */
export function publishPorts(
  parts: PortParts,
  record: ContainerRecord,
  sandbox: OpenSandbox,
): RunPorts {
  const ports = wantedBy(record);
  return new PublishedRun(publish(parts, record, { sandbox, ports }), parts, record);
}

function wantedBy({ config, host }: ContainerRecord): readonly WantedPort[] {
  return networkModeOf(host).kind === "bridge" ? wantedPorts(config, host) : [];
}

function nameOf(store: PortParts["store"]): (container: string) => string {
  return (container) => store.get(container as ContainerId)?.name ?? container;
}

/**
 * Where ports lead to: of each version to the endpoint that has the default route; not to networks
 * without a bridge, as in Docker.
 */
function entrance(
  parts: Parts<"networks">,
  { endpoints: all }: OpenSandbox["stored"],
): (PortTarget & { readonly endpointId: string }) | undefined {
  const endpoints = all.filter(
    ({ networkId }) => networkId !== "" && parts.networks.find(networkId).driver === "bridge",
  );
  const [ipv4, ipv6] = ([4, 6] as const).map((version) => gatewayOf(parts, endpoints, version));
  const first = ipv4 ?? ipv6;
  if (!first) return undefined;
  const address6 = ipv6?.address6 ?? "";
  return { address: ipv4?.address ?? address6, address6, endpointId: first.endpointId };
}

async function publish(
  parts: PortParts,
  { id, name, host }: ContainerRecord,
  { sandbox, ports }: { readonly sandbox: OpenSandbox; readonly ports: readonly WantedPort[] },
): Promise<Publication | undefined> {
  if (ports.length === 0) return undefined;
  const found = entrance(parts, sandbox.stored);
  if (!found) return undefined;
  const { endpointId, ...target } = found;
  try {
    const passesInput = host.PublishThrough;
    const request = { container: id, ...target, ports, passesInput, nameOf: nameOf(parts.store) };
    return await parts.ports.publish(request);
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
export function adoptPorts(parts: PortParts, record: ContainerRecord): RunPorts {
  const process = { pid: record.state.pid, startTime: record.startTime };
  return new PublishedRun(Promise.resolve(parts.ports.adopt(record.id, process)), parts, record);
}
