import { Agent } from "node:http";
import type { Socket } from "node:net";
import { Fault } from "#base";

/**
 * Sends requests of `node:http` over one socket that stands already, one after the other;
 * once it is gone, a request fails as `unavailable`. An Agent and not the request's own `createConnection`,
 * which Bun 1.4.5 does not call: it would look up the name and connect wherever that leads.
 */
export class SocketAgent extends Agent {
  #socket: Socket | undefined;

  constructor(socket: Socket) {
    super({ keepAlive: true, maxSockets: 1 });
    this.#socket = socket;
  }

  override createConnection(): Socket {
    const socket = this.#socket;
    if (!socket || socket.destroyed) throw new Fault("unavailable", "the connection was closed");
    this.#socket = undefined;
    return socket;
  }
}
