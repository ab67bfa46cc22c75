import type { EndpointBody, NetworkFaultBody } from "#container";
import type {
  NetworkCreateBody,
  NetworkCreateResponse,
  NetworkExplanation,
  NetworkInspect,
  NetworksPruneResponse,
  WireFilters,
} from "#wire";
import { renderFilters } from "#wire";
import type { Transport } from "./transport.ts";

/** /networks of the Docker Engine API. Every `ref` is a name, an id, or a unique prefix of one. */
export class NetworksClient {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** GET /networks, without the containers of each. */
  list(filters: WireFilters = {}): Promise<readonly NetworkInspect[]> {
    const query = { filters: renderFilters(filters) };
    return this.#transport.json({ method: "GET", path: "/networks", query });
  }

  /** GET /networks/REF. */
  inspect(
    ref: string,
    options: { readonly verbose?: boolean | undefined } = {},
  ): Promise<NetworkInspect> {
    const query = { verbose: options.verbose };
    return this.#transport.json({ method: "GET", path: at(ref), query });
  }

  /** `conflict` for a name that is taken, `denied` for addresses that are. */
  create(body: NetworkCreateBody): Promise<NetworkCreateResponse> {
    return this.#transport.json({ method: "POST", path: "/networks/create", json: body });
  }

  /** `denied` while containers that run are in it, and for the networks that always exist. */
  async remove(ref: string): Promise<void> {
    await this.#transport.done({ method: "DELETE", path: at(ref) });
  }

  /** Removes the networks that no running container is in. */
  prune(filters: WireFilters): Promise<NetworksPruneResponse> {
    const query = { filters: renderFilters(filters) };
    return this.#transport.json({ method: "POST", path: "/networks/prune", query });
  }

  /** Adds a container, at once when it runs, else from its next start on. */
  async connect(ref: string, container: string, endpoint: EndpointBody): Promise<void> {
    const json = { Container: container, EndpointConfig: endpoint };
    await this.#transport.done({ method: "POST", path: `${at(ref)}/connect`, json });
  }

  /** Takes a container out; with `force` the network may be gone. */
  async disconnect(
    ref: string,
    container: string,
    options: { readonly force: boolean },
  ): Promise<void> {
    const json = { Container: container, Force: options.force };
    await this.#transport.done({ method: "POST", path: `${at(ref)}/disconnect`, json });
  }

  /** thimble only: who reaches the published ports of running containers; of all, of one, or at a port of the host. */
  explain(of: string): Promise<readonly NetworkExplanation[]> {
    const path = "/thimble/v1/networks/explain";
    return this.#transport.json({ method: "GET", path, query: { of } });
  }

  /** thimble only: makes a running container's network go wrong until it ends; `unsupported` for what the kernel lacks. */
  async fault(container: string, json: NetworkFaultBody): Promise<void> {
    await this.#transport.done({ method: "POST", path: faultOf(container), json });
  }

  /** thimble only: takes that back. */
  async mend(container: string): Promise<void> {
    await this.#transport.done({ method: "DELETE", path: faultOf(container) });
  }
}

function faultOf(container: string): string {
  return `/thimble/v1/containers/${encodeURIComponent(container)}/network-fault`;
}

function at(ref: string): string {
  return `/networks/${encodeURIComponent(ref)}`;
}
