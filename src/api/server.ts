import { chmodSync, lstatSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, ServerResponse } from "node:http";
import { createServer as createListener, type Server as Listener, type Socket } from "node:net";
import { defined, Fault, faultOf, type Log } from "#base";
import type { Engine, Owner } from "#engine";
import { API_VERSION, compareApiVersions, loadSchemas, MIN_API_VERSION, wireLimits } from "#wire";
import { answers } from "./connect.ts";
import { Exchange } from "./exchange.ts";
import { faultResponse } from "./fault-response.ts";
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
  /** Called at the beginning of each request. */
  readonly onRequest?: () => void;
}

/** Docker's API on a socket, over one engine. */
export interface ApiServer {
  /**
   * Listens on a unix socket, which has this mode before it can be connected to. `conflict` when
   * another engine answers at the path; the socket of a dead one is replaced.
   */
  listen(path: string, options: { readonly mode: number }): Promise<void>;
  /**
   * Takes no more connections, ends those that are open and removes the socket; containers go on.
   */
  close(): Promise<void>;
}

/** A connection that sends no complete request header within this time is closed. */
const firstRequestMs = 30_000;

/** How long the rest of a refused request's body is read. */
const drainMs = 10_000;

/** A server of the Docker Engine API and of thimble's own. It does not close the engine. */
export function createApiServer(options: ApiServerOptions): ApiServer {
  const connections = new Set<Socket>();
  const loading = loadSchemas();
  let listener: Listener | undefined;
  let socketPath: string | undefined;
  let endRehearsal: (() => void) | undefined;
  return {
    async listen(path, { mode }) {
      const context = { ...options, schemas: await loading };
      const dispatch = dispatcher(options, new Router(routes(context)));
      await clearPath(path);
      listener = await bind(path, mode, accept(httpServer(dispatch), connections));
      socketPath = path;
      endRehearsal = rehearseCreate(options.engine, options.log);
    },
    async close() {
      endRehearsal?.();
      const { promise, resolve } = Promise.withResolvers<void>();
      if (listener) listener.close(() => resolve());
      else resolve();
      for (const socket of connections) socket.destroy();
      await promise;
      if (socketPath !== undefined) rmSync(socketPath, { force: true });
    },
  };
}

type Dispatch = (request: IncomingMessage, response: ServerResponse, head?: Uint8Array) => void;

function httpServer(dispatch: ReturnType<typeof dispatcher>) {
  const server = createServer(
    {
      maxHeaderSize: wireLimits.headerBytes,
      // Archives may take long, and clients keep idle connections as long as they like.
      requestTimeout: 0,
      keepAliveTimeout: 0,
      shouldUpgradeCallback: (request) =>
        request.headers.upgrade?.toLowerCase() === "tcp" && dispatch.hijacks(request),
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
    if (socket.writable) socket.end(protocolError(error.code === "HPE_HEADER_OVERFLOW"));
  });
  return server;
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

/**
 * Connections are accepted by a plain listener and handed to the HTTP server: so each is
 * a socket with a descriptor (for the credentials of the peer), and half-closed ones live.
 */
function accept(server: ReturnType<typeof httpServer>, connections: Set<Socket>) {
  return (socket: Socket) => {
    connections.add(socket);
    const timer = setTimeout(() => socket.destroy(), firstRequestMs);
    firstRequest.set(socket, timer);
    socket.once("close", () => {
      clearTimeout(timer);
      connections.delete(socket);
    });
    server.emit("connection", socket);
  };
}

const firstRequest = new WeakMap<Socket, ReturnType<typeof setTimeout>>();

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
    clearTimeout(firstRequest.get(request.socket));
    options.onRequest?.();
    setCommonHeaders(response, options.version);
    response.on("error", () => response.destroy());
    let version = API_VERSION;
    const run = async () => {
      const found = find(request);
      version = found.version;
      checkVersion(version);
      if (!found.match) throw new Fault("not_found", "page not found");
      const exchange = new Exchange({
        request,
        response,
        version,
        params: found.match.params,
        query: found.query,
        ownerOf: () => options.ownerOf?.(request.socket) ?? { uid: 0, gid: 0 },
        untaken: () => options.untaken?.(request.socket) ?? 0,
        ...defined({ head }),
      });
      await found.match.route.handle(exchange);
    };
    run().catch((error: unknown) => refuse(options.log, request, response, version, error));
  };
  const hijacks = (request: IncomingMessage): boolean => {
    try {
      return find(request).match?.route.hijacks === true;
    } catch {
      return false;
    }
  };
  return { handle, hijacks };
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

async function clearPath(path: string): Promise<void> {
  if (Buffer.byteLength(path) > 107)
    throw new Fault(
      "invalid",
      `the socket path ${path} is longer than the 107 bytes that Linux allows`,
      { about: path },
    );
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (!found) return;
  if (!found.isSocket())
    throw new Fault("conflict", `cannot listen on ${path}: it is not a socket`, {
      about: path,
    });
  if (await answers(path))
    throw new Fault("conflict", `cannot listen on ${path}: another engine answers there`, {
      about: path,
    });
  rmSync(path, { force: true });
}

async function bind(
  path: string,
  mode: number,
  accepted: (socket: Socket) => void,
): Promise<Listener> {
  const listener = createListener({ allowHalfOpen: true }, accepted);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  listener.once("error", reject).once("listening", resolve);
  // No client may connect between bind and chmod.
  const before = process.umask(0o177);
  try {
    listener.listen(path);
  } finally {
    process.umask(before);
  }
  try {
    await promise;
  } catch (cause) {
    throw new Fault("unavailable", `cannot listen on ${path}: ${String(cause)}`, {
      about: path,
      cause,
    });
  }
  chmodSync(path, mode);
  return listener;
}
