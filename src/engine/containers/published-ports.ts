import { type ContainerId, Fault, isFault } from "#base";
import { type HostConfig, networkModeOf, wantedPorts } from "#container";
import type { Publication } from "#network";
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
  /** Before the end of the run is told. */
  withdraw(): Promise<void>;
}

const none: RunPorts = {
  ready: Promise.resolve(),
  hold: () => undefined,
  record: () => undefined,
  settle: async () => undefined,
  withdraw: async () => undefined,
  [Symbol.asyncDispose]: async () => undefined,
};

class PublishedRun implements RunPorts {
  readonly ready: Promise<void>;
  readonly #publish: (sandbox: OpenSandbox) => Promise<Publication | undefined>;
  readonly #addressIn: (sandbox: OpenSandbox) => string | undefined;
  #publishing: Promise<Publication | undefined>;
  #publication: Publication | undefined;

  constructor(
    publishing: Promise<Publication | undefined>,
    parts: Parts<"ports" | "store" | "networks">,
    record: ContainerRecord,
  ) {
    this.#publish = (sandbox) => publish(parts, record, sandbox);
    this.#addressIn = ({ stored }) => gatewayOf(parts, stored.endpoints)?.address;
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
    const address = this.#addressIn(sandbox);
    if (this.#publication?.address === address) return;
    if (address !== undefined && this.#publication) return await this.#publication.move(address);
    await this.#publication?.withdraw({ endsProxy: true });
    this.#publication = undefined;
    this.#publishing = this.#publish(sandbox);
    this.#publication = await this.#publishing;
    this.hold(task);
    this.record();
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
  sandbox: OpenSandbox,
): RunPorts {
  return wantsPorts(record)
    ? new PublishedRun(publish(parts, record, sandbox), parts, record)
    : none;
}

function wantsPorts({ config, host }: ContainerRecord): boolean {
  return networkModeOf(host).kind === "bridge" && wantedPorts(config, host).length > 0;
}

async function publish(
  parts: Parts<"ports" | "store" | "networks">,
  { id, name, config, host }: ContainerRecord,
  { stored }: OpenSandbox,
): Promise<Publication | undefined> {
  const endpoint = gatewayOf(parts, stored.endpoints);
  if (!endpoint) return undefined;
  const { address, endpointId } = endpoint;
  const ports = wantedPorts(config, host);
  const nameOf = (container: string) =>
    parts.store.get(container as ContainerId)?.name ?? container;
  try {
    return await parts.ports.publish({ container: id, address, ports, nameOf });
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
export function adoptPorts(
  parts: Parts<"ports" | "store" | "networks">,
  record: ContainerRecord,
): RunPorts {
  const process = { pid: record.state.pid, startTime: record.startTime };
  const adopted = Promise.resolve(parts.ports.adopt(record.id, process));
  return wantsPorts(record) ? new PublishedRun(adopted, parts, record) : none;
}
