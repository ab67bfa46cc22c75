import { chmodSync, chownSync, lstatSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { defined, Fault, isLoopbackAddress, type Log } from "#base";
import { answers } from "./connect.ts";

/** PEM texts of a TLS server. */
export interface TlsSettings {
  /** The server's certificate, with those between it and its authority. */
  readonly cert: string;
  readonly key: string;
  /** The authority that the certificates of clients come from; absent: clients need none. */
  readonly clientAuthority?: string | undefined;
}

/** A place where the API is served. */
export type ListenAddress =
  | {
      readonly kind: "unix";
      readonly path: string;
      /** The mode that the socket has before it can be connected to. */
      readonly mode: number;
      /** The group of the socket; absent: the engine's own. */
      readonly gid?: number | undefined;
    }
  | {
      readonly kind: "tcp";
      readonly host: string;
      /** 0: any that is free. */
      readonly port: number;
      readonly tls?: TlsSettings | undefined;
    }
  | {
      readonly kind: "inherited";
      /** A listening socket that the process was started with (sd_listen_fds(3)). */
      readonly fd: number;
      /** Spoken where the socket is of TCP. */
      readonly tls?: TlsSettings | undefined;
    };

/** A connection that sends nothing, or no complete request header, within this time is closed. */
export const firstBytesMs = 30_000;

/** A connection whose bytes are the API's, after TLS where it is spoken. */
export interface Accepted {
  readonly socket: Socket;
  readonly listener: OpenListener;
}

/** A place where the API is served, until it is closed; connections stay. */
export interface OpenListener {
  /** "unix:///path", "tcp://HOST:PORT", or "fd://3" for an inherited unix socket. */
  readonly name: string;
  readonly kind: "unix" | "tcp";
  /** How far clients have shown who they are: by the rights on the socket, by certificates, or not at all. */
  readonly trust: "socket" | "certificate" | "encrypted" | "plain";
  /**
   * Other certificates for the connections to come; those that are open stay. Without effect where
   * no TLS is spoken; `conflict` when clients would need a certificate that needed none, or the other
   * way about.
   */
  renew(tls: TlsSettings): void;
  /** Takes no more connections, and removes the socket that it made. */
  close(): Promise<void>;
}

interface ListenOptions {
  readonly address: ListenAddress;
  readonly log: Log;
  /** Every connection as it comes, before a byte is read from it. */
  readonly onConnection: (socket: Socket) => void;
  readonly onAccepted: (accepted: Accepted) => void;
}

/**
 * Listens. A plain listener accepts, so that each connection is a socket with a descriptor
 * (for the credentials of the peer), and half-closed ones live. `conflict` when another engine
 * answers at the path; the socket of a dead one is replaced. `invalid` for plain TCP that other
 * machines reach.
 */
export async function openListener(options: ListenOptions): Promise<OpenListener> {
  const { address } = options;
  const server = createServer({ allowHalfOpen: true });
  await bind(server, address);
  const bound = server.address();
  const isTcp = typeof bound === "object" && bound !== null && "port" in bound;
  const tls = address.kind === "unix" || !isTcp ? undefined : address.tls;
  const name = isTcp ? tcpName(bound.address, bound.port) : localName(address);
  try {
    if (isTcp && !tls) refuseExposed(name, bound.address);
  } catch (error) {
    server.close();
    throw error;
  }
  const pass = (socket: Socket) => options.onAccepted({ socket, listener });
  const encrypted = tls && new TlsAcceptor(tls, options.log, pass);
  const listener: OpenListener = {
    name,
    kind: isTcp ? "tcp" : "unix",
    trust: !isTcp ? "socket" : !tls ? "plain" : tls.clientAuthority ? "certificate" : "encrypted",
    renew: (other) => encrypted?.renew(other),
    async close() {
      const { promise, resolve } = Promise.withResolvers<void>();
      server.close(() => resolve());
      await promise;
      // The path of an inherited socket stays: it belongs to who made it.
      if (address.kind === "unix") rmSync(address.path, { force: true });
    },
  };
  server.on("connection", (socket) => {
    options.onConnection(socket);
    if (encrypted) encrypted.accept(socket);
    else pass(socket);
  });
  server.on("error", (error) => options.log.error("a listener failed", { name, error }));
  return listener;
}

/** Refuses TCP without TLS at an address that other machines reach. */
export function refuseExposed(name: string, address: string): void {
  if (isLoopbackAddress(address)) return;
  throw new Fault(
    "invalid",
    `cannot listen on ${name} without TLS: whoever reaches it would have root's rights on this machine. Make certificates (thimble system cert --host NAME) and add --tlsverify, or listen on 127.0.0.1 and connect through ssh (-H ssh://USER@HOST)`,
    { about: name },
  );
}

/** An inherited socket's path is not asked for: whoever made it knows it. */
function localName(address: ListenAddress): string {
  return address.kind === "unix"
    ? `unix://${address.path}`
    : `fd://${"fd" in address ? address.fd : ""}`;
}

function tcpName(address: string, port: number): string {
  return `tcp://${address.includes(":") ? `[${address}]` : address}:${port}`;
}

async function bind(server: Server, address: ListenAddress): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject).once("listening", resolve);
  if (address.kind === "unix") await bindUnix(server, address, promise);
  else if (address.kind === "tcp") server.listen(address.port, address.host);
  else server.listen({ fd: address.fd });
  await promise.catch((cause: NodeJS.ErrnoException) => {
    const where =
      address.kind === "unix"
        ? address.path
        : address.kind === "tcp"
          ? tcpName(address.host, address.port)
          : `the inherited socket ${address.fd}`;
    const why = bindFaults[cause.code ?? ""] ?? String(cause.message);
    throw new Fault("unavailable", `cannot listen on ${where}: ${why}`, { about: where, cause });
  });
  server.removeListener("error", reject);
}

const bindFaults: Readonly<Record<string, string>> = {
  EADDRINUSE: "another program listens there; choose another port",
  EACCES: "this user may not listen there",
  EADDRNOTAVAIL: "this machine does not have that address",
  ENOTFOUND: "there is no such host",
};

async function bindUnix(
  server: Server,
  { path, mode, gid }: Extract<ListenAddress, { kind: "unix" }>,
  bound: Promise<void>,
): Promise<void> {
  await clearPath(path);
  // No client may connect between bind and chmod.
  const before = process.umask(0o177);
  try {
    server.listen(path);
  } finally {
    process.umask(before);
  }
  const isBound = await bound.then(
    () => true,
    () => false,
  );
  if (!isBound) return;
  if (gid !== undefined) chownSync(path, 0, gid);
  chmodSync(path, mode);
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

/** The type of the first record of a TLS connection (RFC 8446, 5.1). */
const handshakeRecord = 22;

/** Go's answer, by which its clients tell their users what is wrong. */
const plainAnswer =
  "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";

/** Speaks TLS on accepted connections; a client that speaks plain HTTP is told so. */
class TlsAcceptor {
  readonly #log: Log;
  readonly #pass: (socket: Socket) => void;
  readonly #asksClients: boolean;
  #server: Server;

  constructor(tls: TlsSettings, log: Log, pass: (socket: Socket) => void) {
    this.#log = log;
    this.#pass = pass;
    this.#asksClients = tls.clientAuthority !== undefined;
    this.#server = this.#serverOf(tls);
  }

  renew(tls: TlsSettings): void {
    if (this.#asksClients !== (tls.clientAuthority !== undefined))
      throw new Fault(
        "conflict",
        "whether clients need a certificate (--tlsverify) changes with a start of the engine only",
      );
    this.#server = this.#serverOf(tls);
  }

  accept(socket: Socket): void {
    const timer = setTimeout(() => socket.destroy(), firstBytesMs);
    socket.on("error", () => socket.destroy());
    socket.once("close", () => clearTimeout(timer));
    const leave = () => socket.destroy();
    socket.once("end", leave);
    socket.once("data", (bytes) => {
      clearTimeout(timer);
      socket.off("end", leave);
      if (bytes[0] !== handshakeRecord) return void socket.end(plainAnswer);
      socket.pause();
      socket.unshift(bytes);
      this.#server.emit("connection", socket);
    });
  }

  #serverOf({ cert, key, clientAuthority }: TlsSettings): Server {
    const server = createTlsServer(
      {
        cert,
        key,
        minVersion: "TLSv1.2",
        handshakeTimeout: firstBytesMs,
        ALPNProtocols: ["http/1.1"],
        ...(clientAuthority !== undefined && {
          ca: clientAuthority,
          requestCert: true,
          rejectUnauthorized: true,
        }),
        ...defined({ allowHalfOpen: true }),
      },
      this.#pass,
    );
    server.on("tlsClientError", (error, socket) => {
      this.#log.info("a client could not connect", { client: socket.remoteAddress, error });
    });
    return server;
  }
}
