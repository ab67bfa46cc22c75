import { type ContainerId, newId, type SandboxId } from "#base";
import type { NetworkMode } from "#container";
import type { State } from "#state";
import type { NetworkAttachment } from "../contract.ts";

/**
 * The network of a container over all its runs. Made at the first start; its addresses
 * are given back at each stop, the networks it is in stay; removed with the container.
 */
export interface StoredSandbox {
  readonly id: SandboxId;
  readonly container: ContainerId;
  readonly mode: NetworkMode;
  /** One for each network, in the order in which they were joined; without an address while the container does not run. */
  readonly endpoints: readonly NetworkAttachment[];
}

/**
 * The step after the table `container`; a container's columns about one network become its sandbox.
 */
export const sandboxStep = `
  CREATE TABLE sandbox (
    id TEXT PRIMARY KEY,
    container TEXT NOT NULL UNIQUE REFERENCES container (id) ON DELETE CASCADE,
    mode TEXT NOT NULL,
    endpoints TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  INSERT INTO sandbox (id, container, mode, endpoints)
    SELECT
      lower(hex(randomblob(32))),
      id,
      CASE course ->> '$.network.network'
        WHEN 'bridge' THEN json_object('kind', 'bridge', 'networks', json_array('bridge'))
        ELSE json_object('kind', course ->> '$.network.network')
      END,
      json_array(course -> '$.network')
    FROM container WHERE course ->> '$.network.network' IN ('bridge', 'none', 'host');
  UPDATE container SET course = json_remove(course, '$.network')`;

interface Row {
  readonly id: string;
  readonly container: string;
  readonly mode: string;
  readonly endpoints: string;
}

/** All sandboxes, in the database and, decoded, in memory. ContainerStore brings the table up to date. */
export class SandboxStore {
  readonly #state: State;
  readonly #sandboxes = new Map<ContainerId, StoredSandbox>();

  constructor(state: State) {
    this.#state = state;
    for (const row of state.query<Row>("SELECT * FROM sandbox")) {
      const container = row.container as ContainerId;
      const id = row.id as SandboxId;
      const mode = JSON.parse(row.mode);
      const endpoints = JSON.parse(row.endpoints).map(withDefaults);
      this.#sandboxes.set(container, { id, container, mode, endpoints });
    }
  }

  get(container: ContainerId): StoredSandbox | undefined {
    return this.#sandboxes.get(container);
  }

  /** The endpoints in a network, also those of containers that do not run. */
  endpointsIn(
    networkId: string,
  ): readonly { readonly container: ContainerId; readonly endpoint: NetworkAttachment }[] {
    return [...this.#sandboxes.values()].flatMap(({ container, endpoints }) =>
      endpoints
        .filter((endpoint) => endpoint.networkId === networkId)
        .map((endpoint) => ({ container, endpoint })),
    );
  }

  /** Sets the networks of a container that does not run; makes its sandbox when it was never started. */
  change(container: ContainerId, mode: NetworkMode, endpoints: readonly NetworkAttachment[]): void {
    const id = this.get(container)?.id ?? newId<SandboxId>();
    this.put({ id, container, mode, endpoints });
  }

  /** Makes the container's sandbox, or changes it. */
  put(sandbox: StoredSandbox): void {
    const { id, container, mode, endpoints } = sandbox;
    this.#state.run(
      `INSERT INTO sandbox (id, container, mode, endpoints) VALUES (?, ?, ?, ?)
       ON CONFLICT (id) DO UPDATE SET mode = excluded.mode, endpoints = excluded.endpoints`,
      id,
      container,
      JSON.stringify(mode),
      JSON.stringify(endpoints),
    );
    this.#sandboxes.set(container, sandbox);
  }

  /** The container's row is gone, and with it the sandbox's. */
  forget(container: ContainerId): void {
    this.#sandboxes.delete(container);
  }
}

/** Endpoints of earlier versions had no settings and no IPv6, and interfaces were named in their order. */
function withDefaults(endpoint: NetworkAttachment, index: number): NetworkAttachment {
  const earlier = {
    link: `eth${index}`,
    settings: {},
    address6: "",
    prefixLength6: 0,
    gateway6: "",
  };
  return { ...earlier, ...endpoint };
}
