import type { State } from "#state";
import type { PortTarget, PublishedPort } from "./port-contract.ts";

/** The ports of a container that runs, and the proxy that holds them. */
export interface StoredPublication extends PortTarget {
  readonly container: string;
  readonly ports: readonly PublishedPort[];
  /** Translated also where the host's firewall filters what comes in. */
  readonly passesInput: boolean;
  readonly proxy: { readonly pid: number; readonly startTime: bigint };
}

const steps = [
  `CREATE TABLE published_port (
     container TEXT PRIMARY KEY,
     address TEXT NOT NULL,
     ports TEXT NOT NULL,
     proxy_pid INTEGER NOT NULL,
     proxy_start TEXT NOT NULL
   ) STRICT, WITHOUT ROWID`,
  "ALTER TABLE published_port ADD COLUMN address6 TEXT NOT NULL DEFAULT ''",
  "ALTER TABLE published_port ADD COLUMN passes_input INTEGER NOT NULL DEFAULT 0",
];

interface Row {
  readonly container: string;
  readonly address: string;
  readonly address6: string;
  readonly ports: string;
  readonly proxy_pid: number;
  readonly proxy_start: string;
  readonly passes_input: number;
}

/** Who has which ports, in the engine's database. */
export class PortStore {
  readonly #state: State;

  constructor(state: State) {
    this.#state = state;
    state.migrate("ports", steps);
  }

  all(): StoredPublication[] {
    return this.#state.query<Row>("SELECT * FROM published_port").map((row) => ({
      container: row.container,
      address: row.address,
      address6: row.address6,
      ports: JSON.parse(row.ports),
      passesInput: row.passes_input !== 0,
      proxy: { pid: row.proxy_pid, startTime: BigInt(row.proxy_start) },
    }));
  }

  /** With `also`, durably, and in one transaction with what that writes. */
  put(publication: StoredPublication, also?: () => void): void {
    const { container, address, address6, ports, passesInput, proxy } = publication;
    const write = () => {
      this.#state.run(
        "INSERT OR REPLACE INTO published_port VALUES (?, ?, ?, ?, ?, ?, ?)",
        container,
        address,
        JSON.stringify(ports),
        proxy.pid,
        proxy.startTime.toString(),
        address6,
        passesInput ? 1 : 0,
      );
      also?.();
    };
    if (also) this.#state.durably(write);
    else write();
  }

  delete(container: string): void {
    this.#state.run("DELETE FROM published_port WHERE container = ?", container);
  }
}
