import type { EventMessage, SystemInfo, SystemVersion, WireFilters } from "#wire";
import { renderFilters } from "#wire";
import type { Transport } from "./transport.ts";

/** What an engine says of itself. */
export class SystemClient {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  version(): Promise<SystemVersion> {
    return this.#transport.json({ method: "GET", path: "/version" });
  }

  info(): Promise<SystemInfo> {
    return this.#transport.json({ method: "GET", path: "/info" });
  }

  /** Whether an engine answers. */
  async ping(): Promise<void> {
    await this.#transport.ping();
  }

  /** Events until `until`, or for ever; `text` is the event as it was sent. */
  events(options: {
    readonly since?: string | undefined;
    readonly until?: string | undefined;
    readonly filters?: WireFilters;
    readonly signal?: AbortSignal;
  }): AsyncGenerator<{ readonly value: EventMessage; readonly text: string }> {
    const { since, until, signal } = options;
    const query = { since, until, filters: renderFilters(options.filters ?? {}) };
    return this.#transport.messages({ method: "GET", path: "/events", query, signal });
  }
}
