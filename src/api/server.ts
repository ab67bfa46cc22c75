import { createServer, type IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { defined, Fault, faultOf, type Log } from "#base";
import type { BuildKit } from "#buildkit";
import type { Engine, Owner } from "#engine";
import { API_VERSION, compareApiVersions, loadSchemas, MIN_API_VERSION, wireLimits } from "#wire";
import { type Authorization, authorized } from "./authorization.ts";
import { Exchange } from "./exchange.ts";
import { faultResponse } from "./fault-response.ts";
import { refuseForeignPage } from "./foreign-page.ts";
import { releaseSocket } from "./hijack.ts";
import {
  type Accepted,
  firstBytesMs,
  type ListenAddress,
  type OpenListener,
  openListener,
} from "./listener.ts";
import { Query } from "./query.ts";
import { rehearseCreate } from "./rehearsal.ts";
import { type Match, Router, splitVersion } from "./router.ts";
import { routes } from "./routes.ts";

/** The engine to serve, and what only the program that starts it can know. */
export interface ApiServerOptions {
  readonly engine: Engine;
  readonly log: Log;
  /** The version of thimble. */
  readonly version: string;
  /** The user at the other end of a connection (SO_PEERCRED); root when absent. */
  readonly ownerOf?: (socket: Socket) => Owner;
  /** 0 when a client has read all that was sent to it, else a positive number (SIOCOUTQ); absent: 0. */
  readonly untaken?: (socket: Socket) => number;
  /** Renders an encoded launch plan; without it, plans are served as bytes only. */
  readonly describePlan?: (plan: Uint8Array, format: "json" | "text") => string;
  /** Milliseconds between two messages of a container's usage; a second, as in Docker, when absent. */
  readonly statsInterval?: number;
  /** Serves BuildKit's clients, and stays the caller's to close; absent: they are refused. */
  readonly buildkit?: BuildKit;
  /** The plugins that decide about requests; absent: none. */
  readonly authorization?: Authorization;
  /**
   * Milliseconds that a client may stand still in the middle of an archive while a container or a
   * volume waits for its end; five minutes when absent.
   */
  readonly stallTime?: number;
  /** Called at the beginning of each request. */
  readonly onRequest?: () => void;
}

/** Docker's API on sockets, over one engine. */
export interface ApiServer {
  /**
   * Listens at all of the addresses, or at none; gives what listens. `conflict` when another engine
   * answers at a path; the socket of a dead one is replaced. `invalid` for TCP without TLS that
   * other machines reach.
   */
  listen(addresses: readonly ListenAddress[]): Promise<readonly OpenListener[]>;
  /**
   * Takes no more connections, ends those that are open and removes its sockets; containers go on.
   */
  close(): Promise<void>;
}

/** How long the rest of a refused request's body is read. */
const drainMs = 10_000;
const usualStallTime = 300_000;

/** A server of the Docker Engine API and of thimble's own. It does not close the engine. */
export function createApiServer(options: ApiServerOptions): ApiServer {
  const connections = new Set<Socket>();
  const loading = loadSchemas();
  const listeners: OpenListener[] = [];
  let endRehearsal: (() => void) | undefined;
  const closeListeners = async () => {
    await Promise.all(listeners.splice(0).map((listener) => listener.close()));
  };
  return {
    async listen(addresses) {
      const context = { ...options, schemas: await loading };
      const server = httpServer(dispatcher(options, new Router(routes(context))), options);
      const onAccepted = acceptor(server);
      try {
        for (const address of addresses) {
          const { log } = options;
          const onConnection = (socket: Socket) => keepUntilClosed(socket, connections);
          listeners.push(await openListener({ address, log, onConnection, onAccepted }));
        }
      } catch (error) {
        await closeListeners();
        throw error;
      }
      endRehearsal = rehearseCreate(options.engine, options.log);
      return [...listeners];
    },
    async close() {
      endRehearsal?.();
      const closed = closeListeners();
      for (const socket of connections) socket.destroy();
      await closed;
    },
  };
}

function keepUntilClosed(socket: Socket, connections: Set<Socket>): void {
  connections.add(socket);
  socket.once("close", () => connections.delete(socket));
}

type Dispatch = (request: IncomingMessage, response: ServerResponse, head?: Uint8Array) => void;

function httpServer(dispatch: ReturnType<typeof dispatcher>, options: ApiServerOptions) {
  const server = createServer(
    {
      maxHeaderSize: wireLimits.headerBytes,
      // Archives may take long, and clients keep idle connections as long as they like.
      requestTimeout: 0,
      keepAliveTimeout: 0,
      shouldUpgradeCallback: dispatch.upgrades,
    },
    dispatch.handle,
  );
  server.on("upgrade", (request: IncomingMessage, socket: Socket, head: Buffer) => {
    const response = new ServerResponse(request);
    response.shouldKeepAlive = false;
    response.assignSocket(socket);
    response.once("finish", () => socket.end());
    dispatch.handle(request, response, head);
  });
  server.on("clientError", (error: NodeJS.ErrnoException, socket) => {
    if (acceptHttp2(options, error, socket as Socket)) return;
    if (socket.writable) socket.end(protocolError(error.code === "HPE_HEADER_OVERFLOW"));
  });
  return server;
}

/** RFC 9113, 3.4: how a client begins that knows without asking that HTTP/2 is spoken. */
const http2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/**
 * Serves gRPC on a connection whose client began with HTTP/2, which Node's parser stops at. Not
 * where plugins decide about requests: they would see none.
 */
function acceptHttp2(
  { buildkit, authorization }: ApiServerOptions,
  { code, rawPacket }: NodeJS.ErrnoException & { readonly rawPacket?: Buffer },
  socket: Socket,
): boolean {
  if (!buildkit || code !== "HPE_PAUSED_H2_UPGRADE" || !rawPacket) return false;
  if (rawPacket.toString("latin1", 0, http2Preface.length) !== http2Preface) return false;
  if ((authorization?.names() ?? []).length > 0) return false;
  clearTimeout(arrivals.get(socket)?.timer);
  releaseSocket(socket);
  buildkit.accept(socket, rawPacket).catch(() => socket.destroy());
  return true;
}

/** The answer to bytes that are not a request, or to one whose header is too large. */
function protocolError(isTooLarge: boolean): string {
  const status = isTooLarge ? "431 Request Header Fields Too Large" : "400 Bad Request";
  const why = isTooLarge
    ? `the header of the request is larger than ${wireLimits.headerBytes} bytes`
    : "this is not an HTTP/1.1 request, or only a part of one";
  const body = `${JSON.stringify({ message: why })}\n`;
  return `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

/** Hands connections to the HTTP server, and closes those that ask for nothing. */
function acceptor(server: ReturnType<typeof httpServer>) {
  return ({ socket, listener }: Accepted) => {
    const timer = setTimeout(() => socket.destroy(), firstBytesMs);
    arrivals.set(socket, { timer, listener });
    socket.once("close", () => clearTimeout(timer));
    server.emit("connection", socket);
  };
}

interface Arrival {
  /** Runs until the first request. */
  readonly timer: ReturnType<typeof setTimeout>;
  readonly listener: OpenListener;
}

const arrivals = new WeakMap<Socket, Arrival>();

function dispatcher(options: ApiServerOptions, router: Router) {
  const find = (
    request: IncomingMessage,
  ): { path: string; version: string; match?: Match; query: Query } => {
    const [encoded = "/", query = ""] = splitOnce(request.url ?? "/", "?");
    const { path, version } = splitVersion(decodePath(encoded));
    const match = router.match(request.method ?? "GET", path);
    return {
      path,
      version: version ?? API_VERSION,
      query: new Query(query),
      ...defined({ match }),
    };
  };
  const handle: Dispatch = (request, response, head) => {
    const arrival = arrivals.get(request.socket);
    clearTimeout(arrival?.timer);
    options.onRequest?.();
    setCommonHeaders(response, options.version);
    response.on("error", () => response.destroy());
    let version = API_VERSION;
    const run = async () => {
      const found = find(request);
      version = found.version;
      if (arrival) refuseForeignPage(request, arrival.listener);
      const asked = options.authorization?.names() ?? [];
      const { match } = found;
      if (!match || (asked.length > 0 && match.route.isCompound))
        throw new Fault("not_found", "page not found");
      const exchange = new Exchange({
        request,
        response,
        version,
        params: match.params,
        query: found.query,
        ownerOf: () => ownerOf(options, request.socket, arrival?.listener),
        untaken: () => options.untaken?.(request.socket) ?? 0,
        stallTime: options.stallTime ?? usualStallTime,
        ...defined({ head }),
      });
      const answer = () => {
        checkVersion(version);
        return match.route.handle(exchange);
      };
      const { authorization, log } = options;
      if (!authorization || asked.length === 0) return await answer();
      await authorized(exchange, { plugins: authorization.plugins, asked, log }, answer);
    };
    run().catch((error: unknown) => refuse(options.log, request, response, version, error));
  };
  const upgrades = (request: IncomingMessage): boolean => {
    try {
      const { upgrade } = find(request).match?.route ?? {};
      return upgrade === "tcp" || upgrade === request.headers.upgrade?.toLowerCase();
    } catch {
      return false;
    }
  };
  return { handle, upgrades };
}

/** Whoever may use the engine over TCP is its administrator. */
function ownerOf(options: ApiServerOptions, socket: Socket, listener?: OpenListener): Owner {
  const isLocal = listener?.kind !== "tcp";
  return (isLocal ? options.ownerOf?.(socket) : undefined) ?? { uid: 0, gid: 0 };
}

function refuse(
  log: Log,
  request: IncomingMessage,
  response: ServerResponse,
  version: string,
  error: unknown,
): void {
  const fault = faultOf(error);
  if (fault.code === "internal" && !fault.about)
    log.error("a request failed", {
      method: request.method,
      url: request.url,
      error: fault.stack ?? fault.message,
    });
  if (response.headersSent || response.writableEnded || !response.socket) {
    request.socket.destroy();
    return;
  }
  const { status, contentType, body } = faultResponse(fault, version);
  const headers: Record<string, string | number> = {};
  if (contentType) headers["Content-Type"] = contentType;
  if (status !== 304) headers["Content-Length"] = Buffer.byteLength(body);
  if (!request.complete) drain(request);
  response.writeHead(status, headers);
  response.end(request.method === "HEAD" ? undefined : body);
}

/** A client that is still sending reads no answer, so its body is taken and dropped, for a while. */
function drain(request: IncomingMessage): void {
  const timer = setTimeout(() => request.socket.destroy(), drainMs);
  request.once("close", () => clearTimeout(timer));
  request.once("end", () => clearTimeout(timer));
  request.resume();
}

function checkVersion(version: string): void {
  if (compareApiVersions(version, API_VERSION) > 0)
    throw new Fault(
      "invalid",
      `client version ${version} is too new. Maximum supported API version is ${API_VERSION}`,
    );
  if (compareApiVersions(version, MIN_API_VERSION) < 0)
    throw new Fault(
      "invalid",
      `client version ${version} is too old. Minimum supported API version is ${MIN_API_VERSION}, please upgrade your client to a newer version`,
    );
}

function setCommonHeaders(response: ServerResponse, version: string): void {
  response.setHeader("Api-Version", API_VERSION);
  response.setHeader("Docker-Experimental", "false");
  response.setHeader("Ostype", "linux");
  response.setHeader("Server", `Thimble/${version} (linux)`);
}

/**
 * A name with its slash makes "/containers//name/json"; Docker redirects it to the path without.
 */
function decodePath(encoded: string): string {
  try {
    return decodeURIComponent(encoded).replace(/\/{2,}/g, "/");
  } catch (cause) {
    throw new Fault("invalid", `the path ${encoded} is not properly percent-encoded`, { cause });
  }
}

function splitOnce(text: string, separator: string): readonly [string, string?] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}
