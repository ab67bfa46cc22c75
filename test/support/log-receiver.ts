import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { createServer as createTlsServer } from "node:tls";

/** The log of a container that goes to a receiver of syslog in a directory, at `receiverPath`. */
export function shippedLog(directory: string) {
  const Config = { "syslog-address": `unix://${receiverPath(directory)}` };
  return { Type: "syslog", Config };
}

export const receiverPath = (directory: string) => join(directory, "receiver");

/** Wakes those who wait whenever something came in. */
class Arrivals {
  #wake = Promise.withResolvers<void>();

  tell(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers();
  }

  /** Settles once it is so; asked again at each arrival. */
  async until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await this.#wake.promise;
  }
}

export interface StreamReceiverOptions {
  /** A path, or a port of 127.0.0.1; absent: any port. */
  readonly at?: string | number;
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Instead of keeping what comes in. */
  readonly onData?: (socket: Socket, bytes: Buffer) => void;
}

/** Listens for streams and keeps what comes in, by connection. */
export class StreamReceiver extends Arrivals implements AsyncDisposable {
  readonly connections: Buffer[] = [];
  readonly #sockets: Socket[] = [];
  readonly #server: Server;
  readonly #onData: StreamReceiverOptions["onData"];

  constructor({ tls, onData }: StreamReceiverOptions) {
    super();
    this.#onData = onData;
    const take = (socket: Socket) => this.#take(socket);
    this.#server = tls ? createTlsServer(tls, take) : createServer(take);
  }

  static async open(options: StreamReceiverOptions = {}): Promise<StreamReceiver> {
    const receiver = new StreamReceiver(options);
    const { at = 0 } = options;
    if (typeof at === "string") receiver.#server.listen(at);
    else receiver.#server.listen(at, "127.0.0.1");
    await once(receiver.#server, "listening");
    return receiver;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Breaks all connections; new ones are taken. */
  disconnect(): void {
    for (const socket of this.#sockets.splice(0)) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.disconnect();
    this.#server.close();
    await once(this.#server, "close");
  }

  #take(socket: Socket): void {
    const index = this.connections.push(Buffer.alloc(0)) - 1;
    this.#sockets.push(socket);
    socket.on("error", () => socket.destroy());
    socket.on("data", (bytes: Buffer) => {
      this.connections[index] = Buffer.concat([this.connections[index] as Buffer, bytes]);
      this.#onData?.(socket, bytes);
      this.tell();
    });
  }
}

/** Keeps the datagrams that come to a port of 127.0.0.1. */
export class UdpReceiver extends Arrivals implements AsyncDisposable {
  readonly datagrams: Buffer[] = [];
  readonly #socket = createSocket("udp4");

  static async open(port = 0): Promise<UdpReceiver> {
    const receiver = new UdpReceiver();
    receiver.#socket.on("message", (bytes) => {
      receiver.datagrams.push(bytes);
      receiver.tell();
    });
    receiver.#socket.bind(port, "127.0.0.1");
    await once(receiver.#socket, "listening");
    return receiver;
  }

  get port(): number {
    return this.#socket.address().port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await once(this.#socket, "close");
  }
}

/** Keeps the datagrams that come to a unix socket; it reads none before `read`. */
export class UnixDatagramReceiver extends Arrivals implements AsyncDisposable {
  readonly datagrams: Buffer[] = [];
  readonly #child: ChildProcess;
  #rest = Buffer.alloc(0);

  constructor(child: ChildProcess) {
    super();
    this.#child = child;
    child.stdout?.on("data", (bytes: Buffer) => this.#take(bytes));
  }

  /** `directory` is for the program and the socket, `path` in it. */
  static async open(directory: string, path: string): Promise<UnixDatagramReceiver> {
    const program = join(directory, "unix-datagrams");
    const source = join(import.meta.dirname, "unix-datagrams.c");
    const cc = spawnSync("cc", ["-O1", "-Wall", "-o", program, source]);
    if (cc.status !== 0) throw new Error(`cc unix-datagrams.c: ${cc.stderr}`);
    const child = spawn(program, [path], { stdio: "pipe" });
    await once(child.stderr, "data");
    return new UnixDatagramReceiver(child);
  }

  /** Reads all that come from now on. */
  read(): void {
    this.#child.stdin?.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill();
    await once(this.#child, "close");
  }

  #take(bytes: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    while (this.#rest.byteLength >= 4) {
      const end = 4 + this.#rest.readUInt32BE();
      if (this.#rest.byteLength < end) break;
      this.datagrams.push(this.#rest.subarray(4, end));
      this.#rest = this.#rest.subarray(end);
    }
    this.tell();
  }
}
