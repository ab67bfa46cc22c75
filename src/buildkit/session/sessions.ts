import { connect } from "node:http2";
import type { Duplex } from "node:stream";
import { Fault, type Log } from "#base";
import { GrpcClient } from "../grpc/client.ts";
import { ClientSession } from "./client-session.ts";
import { watchHealth } from "./health.ts";

/**
 * What a client says of its session, as headers of the request that opens it, by their names in
 * lower case; several values with commas between them.
 */
export type SessionHeaders = (name: string) => string | undefined;

const prefix = "x-docker-expose-session-";

/** How long a request waits for the session that it names; the client opens both at once. */
const patienceMs = 5_000;
const maxMethods = 256;

/** The sessions of clients that are connected: each serves what builds ask of its client. */
export class Sessions {
  readonly #open = new Map<string, ClientSession>();
  readonly #awaited = new Map<string, Set<(session: ClientSession) => void>>();
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  /**
   * Speaks HTTP/2 as a client on a connection that a client of ours opened, and settles when it is
   * over. `invalid` when the headers do not name the session, `conflict` when it is open already.
   */
  async serve(connection: Duplex, headers: SessionHeaders): Promise<void> {
    const id = headers(`${prefix}uuid`) ?? "";
    this.check(id);
    const methods = (headers(`${prefix}grpc-method`) ?? "").split(",", maxMethods);
    connection.on("error", () => connection.destroy());
    const http2 = connect("http://localhost", { createConnection: () => connection });
    http2.on("error", (error) => this.#log.debug("a session of a build failed", { id, error }));
    const session = new ClientSession({
      id,
      sharedKey: headers(`${prefix}sharedkey`) ?? "",
      methods: new Set(methods.map((method) => method.trim().toLowerCase())),
      client: new GrpcClient(http2),
    });
    this.#open.set(id, session);
    for (const tell of this.#awaited.get(id) ?? []) tell(session);
    const closed = Promise.withResolvers<void>();
    http2.once("close", closed.resolve);
    // HTTP/2 knows no half of a connection.
    connection.once("close", closed.resolve).once("end", closed.resolve);
    const healthy = new AbortController();
    try {
      await Promise.race([closed.promise, watchHealth(session, healthy.signal)]);
    } finally {
      healthy.abort();
      this.#open.delete(id);
      session.end();
      http2.destroy();
      connection.destroy();
    }
  }

  /** Throws what `serve` would throw for the headers, before the connection is taken over. */
  check(id: string): void {
    if (!/^[\w-]{1,128}$/.test(id))
      throw new Fault("invalid", "a session needs an id: X-Docker-Expose-Session-Uuid");
    if (this.#open.has(id)) throw new Fault("conflict", `session ${id} already exists`);
  }

  /** The session of this id, once its client has opened it. `not_found` when it does not come soon. */
  async get(id: string, signal: AbortSignal): Promise<ClientSession> {
    const open = this.#open.get(id);
    if (open) return open;
    const { promise, resolve, reject } = Promise.withResolvers<ClientSession>();
    const waiters = this.#awaited.get(id) ?? new Set();
    this.#awaited.set(id, waiters.add(resolve));
    const giveUp = () => reject(new Fault("not_found", `no active session for ${id}`));
    const timer = setTimeout(giveUp, patienceMs);
    signal.addEventListener("abort", giveUp);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", giveUp);
      waiters.delete(resolve);
      if (waiters.size === 0) this.#awaited.delete(id);
    }
  }
}
