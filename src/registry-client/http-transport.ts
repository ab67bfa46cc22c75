import { connect as connectSocket, isIP, type Socket } from "node:net";
import {
  connect as connectTls,
  createSecureContext,
  getCACertificates,
  type SecureContext,
} from "node:tls";
import { Fault } from "#base";
import { type Address, type AddressKind, type Resolve, resolveHost, unbracket } from "./address.ts";
import { connectionFault } from "./connection-fault.ts";
import {
  HttpConnection,
  type HttpResponse,
  type RequestBody,
  type Timeouts,
  type WireRequest,
} from "./http-connection.ts";
import { openTunnel, portOf, proxyAuthorization } from "./tunnel.ts";

/**
 * The certificates that a host must show, and those that we show it. Certificates and keys in PEM.
 */
export interface Trust {
  /** Beside those of the system. */
  readonly authorities: readonly string[];
  readonly client?: { readonly certificate: string; readonly key: string };
  readonly verify: boolean;
}

/** The text itself, when it holds certificates in PEM. */
export function requireCertificate(path: string, text: string): string {
  try {
    createSecureContext({ ca: text });
    return text;
  } catch (cause) {
    throw new Fault("invalid", `${path} holds no certificate in PEM that can be used`, {
      about: path,
      cause,
    });
  }
}

export interface HttpRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers?: readonly (readonly [name: string, value: string])[];
  readonly body?: Uint8Array | RequestBody | undefined;
  readonly trust: Trust;
  readonly proxy?: URL | undefined;
  /** Refuses an address that the request must not go to; asked before anything is sent. */
  readonly guard?: ((kind: AddressKind) => void) | undefined;
  readonly connectTimeout?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

const maxIdlePerHost = 6;
/** A client lives as long as an operation, between whose requests there are no pauses; many of them in a row must not hold many connections. */
const idleMs = 2000;

/** HTTP requests over connections that are kept for the next one for a while. */
export class HttpTransport {
  readonly #timeouts: Timeouts;
  readonly #resolve: Resolve | undefined;
  readonly #idle = new Map<string, HttpConnection[]>();
  readonly #contexts = new WeakMap<Trust, SecureContext>();

  constructor(timeouts: Timeouts, resolve?: Resolve) {
    this.#timeouts = timeouts;
    this.#resolve = resolve;
  }

  /**
   * Sends a request and settles with the head of its answer, whatever its status. No
   * retries, no redirects; but an idle connection that turns out to have been closed by
   * the peer is replaced once, unless the request streams a body.
   */
  async send(request: HttpRequest): Promise<HttpResponse> {
    if (request.signal?.aborted) {
      throw new Fault("canceled", "canceled", { cause: request.signal.reason });
    }
    const key = poolKey(request);
    const kept = this.#takeIdle(key, request);
    if (kept) {
      try {
        return await this.#exchange(kept, key, request);
      } catch (error) {
        const isStale = error instanceof Fault && error.code === "unavailable";
        const isReplayable = request.body === undefined || request.body instanceof Uint8Array;
        if (!isStale || !isReplayable || request.signal?.aborted) throw error;
      }
    }
    return this.#exchange(await this.#dial(request), key, request);
  }

  #takeIdle(key: string, request: HttpRequest): HttpConnection | undefined {
    const idle = this.#idle.get(key) ?? [];
    for (let next = idle.pop(); next; next = idle.pop()) {
      if (!next.isIdle) {
        next.close();
        continue;
      }
      try {
        request.guard?.(next.kind);
      } catch (error) {
        idle.push(next);
        throw error;
      }
      next.hold(true);
      return next;
    }
    return undefined;
  }

  #exchange(connection: HttpConnection, key: string, request: HttpRequest): Promise<HttpResponse> {
    return connection.exchange(wireRequest(request), (reusable) => {
      if (reusable) this.#keep(connection, key);
    });
  }

  #keep(connection: HttpConnection, key: string): void {
    const idle = this.#idle.get(key) ?? [];
    this.#idle.set(key, idle);
    if (idle.length >= maxIdlePerHost) {
      connection.close();
      return;
    }
    connection.hold(false);
    idle.push(connection);
    const { uses } = connection;
    const timer = setTimeout(() => {
      const at = idle.indexOf(connection);
      if (at < 0 || connection.uses !== uses) return;
      idle.splice(at, 1);
      connection.close();
    }, idleMs);
    timer.unref();
  }

  async #dial(request: HttpRequest): Promise<HttpConnection> {
    const { url, proxy } = request;
    const about = url.host;
    const limit = request.connectTimeout ?? this.#timeouts.connect;
    const abort = new AbortController();
    const slow = () =>
      abort.abort(
        new Fault("timeout", `cannot connect to ${about}: no connection within ${limit / 1000} s`, {
          about,
        }),
      );
    const timer = setTimeout(slow, limit);
    const signal = request.signal ? AbortSignal.any([request.signal, abort.signal]) : abort.signal;
    try {
      if (proxy) return await this.#dialProxy(request, proxy, signal);
      const addresses = await resolveHost(url.hostname, this.#resolve);
      for (const { kind } of addresses) request.guard?.(kind);
      const { socket, kind } = await connectAny(addresses, portOf(url), about, signal);
      const secured =
        url.protocol === "https:" ? await this.#secure(socket, url, request.trust, signal) : socket;
      return new HttpConnection(secured, { kind, about, timeouts: this.#timeouts });
    } catch (error) {
      if (abort.signal.aborted && !request.signal?.aborted) throw abort.signal.reason;
      throw request.signal?.aborted ? new Fault("canceled", "canceled") : error;
    } finally {
      clearTimeout(timer);
    }
  }

  async #dialProxy(request: HttpRequest, proxy: URL, signal: AbortSignal): Promise<HttpConnection> {
    const { url } = request;
    // The proxy finds the host; all that can be judged here is an address in the URL itself.
    if (isIP(unbracket(url.hostname)) !== 0) {
      for (const { kind } of await resolveHost(url.hostname)) request.guard?.(kind);
    }
    const about = `${url.host} (through the proxy ${proxy.host})`;
    const addresses = await resolveHost(proxy.hostname, this.#resolve);
    const direct = await connectAny(addresses, portOf(proxy), `the proxy ${proxy.host}`, signal);
    // A company with an authority of its own uses it for its proxy too.
    const trust: Trust = { authorities: request.trust.authorities, verify: true };
    const socket =
      proxy.protocol === "https:"
        ? await this.#secure(direct.socket, proxy, trust, signal)
        : direct.socket;
    const options = { kind: "public" as const, about, timeouts: this.#timeouts };
    if (url.protocol === "http:") return new HttpConnection(socket, options);
    await openTunnel(socket, url, proxy, signal);
    const secured = await this.#secure(socket, url, request.trust, signal);
    return new HttpConnection(secured, options);
  }

  #secure(socket: Socket, url: URL, trust: Trust, signal: AbortSignal): Promise<Socket> {
    const host = unbracket(url.hostname);
    const secured = connectTls({
      socket,
      host,
      // A server name must not be an address (RFC 6066 section 3).
      ...(isIP(host) === 0 ? { servername: host } : {}),
      secureContext: this.#context(trust),
      rejectUnauthorized: trust.verify,
      ALPNProtocols: ["http/1.1"],
    });
    return ready(secured, "secureConnect", url.host, signal);
  }

  #context(trust: Trust): SecureContext {
    const kept = this.#contexts.get(trust);
    if (kept) return kept;
    const { authorities, client } = trust;
    const context = createSecureContext({
      minVersion: "TLSv1.2",
      ca: [...systemAuthorities(), ...authorities],
      ...(client ? { cert: client.certificate, key: client.key } : {}),
    });
    this.#contexts.set(trust, context);
    return context;
  }
}

let authorities: readonly string[] | undefined;

/**
 * The system's store, where an administrator adds a company's own; otherwise the authorities of the
 * runtime.
 */
function systemAuthorities(): readonly string[] {
  if (!authorities) {
    const system = getCACertificates("system");
    authorities = system.length > 0 ? system : getCACertificates("default");
  }
  return authorities;
}

const trustIds = new WeakMap<Trust, number>();
let lastTrustId = 0;

function poolKey({ url, proxy, trust }: HttpRequest): string {
  const id = trustIds.get(trust) ?? ++lastTrustId;
  trustIds.set(trust, id);
  return `${url.protocol}//${url.host} ${proxy?.href ?? ""} ${id}`;
}

function wireRequest(request: HttpRequest): WireRequest {
  const { url, proxy, headers = [], method, body, signal } = request;
  const path = `${url.pathname}${url.search}`;
  const isAbsolute = proxy !== undefined && url.protocol === "http:";
  const first: [string, string][] = [
    ["Host", url.host],
    ["User-Agent", "thimble"],
  ];
  if (isAbsolute) first.push(...proxyAuthorization(proxy));
  const all = [...first, ...headers];
  for (const [name, value] of all) {
    if (/[^\t\x20-\x7e\x80-\xff]/.test(value) || !/^[\w!#$%&'*+.^`|~-]+$/.test(name)) {
      throw new Fault(
        "invalid",
        `the header ${name} for ${url.host} has characters that HTTP forbids`,
      );
    }
  }
  return {
    method,
    target: isAbsolute ? `http://${url.host}${path}` : path,
    headers: all,
    // An empty body is announced too: some servers insist on a length.
    body: body ?? (/^(POST|PUT|PATCH)$/.test(method) ? new Uint8Array(0) : undefined),
    signal,
  };
}

/** One address after the other, each with a share of the time, until one answers. */
async function connectAny(
  addresses: readonly Address[],
  port: number,
  about: string,
  signal: AbortSignal,
): Promise<{ socket: Socket; kind: AddressKind }> {
  let failure: unknown;
  for (const [index, { address, kind }] of addresses.slice(0, 8).entries()) {
    const isLast = index === Math.min(addresses.length, 8) - 1;
    const patience = isLast ? signal : AbortSignal.any([signal, AbortSignal.timeout(3000)]);
    const socket = connectSocket({ host: address, port });
    try {
      return { socket: await ready(socket, "connect", about, patience), kind };
    } catch (error) {
      if (signal.aborted) throw error;
      failure = error;
    }
  }
  throw failure;
}

function ready(socket: Socket, event: string, about: string, signal: AbortSignal): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const fail = (error: unknown) => {
    socket.destroy();
    reject(connectionFault(`cannot connect to ${about}`, error));
  };
  const abort = () => fail(signal.reason);
  const closed = () => fail(new Error("the connection was closed at once"));
  socket.once(event, () => {
    signal.removeEventListener("abort", abort);
    socket.off("close", closed);
    resolve(socket);
  });
  // Stays for the life of the socket: an error without a listener ends the process.
  socket.on("error", fail);
  socket.once("close", closed);
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  return promise;
}
