import { readFile } from "node:fs/promises";
import { createConnection, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { defined, Fault, faultOf } from "#base";
import type { Endpoint, LogTarget, Shipment, TlsFiles } from "#log-driver";
import { AcknowledgementReader } from "./acknowledgement.ts";
import { endpointText, patience, type Sink } from "./sink.ts";

/** A stream to a receiver: TCP, TLS or a unix socket. */
export async function openStreamSink(
  endpoint: Endpoint,
  target: LogTarget,
  signal: AbortSignal,
): Promise<Sink> {
  const socket = await open(endpoint, target);
  const address = endpointText(endpoint);
  try {
    await connected(socket, endpoint.kind === "tls" ? "secureConnect" : "connect", signal);
  } catch (error) {
    socket.destroy();
    const { message } = faultOf(error);
    throw new Fault("unavailable", `cannot connect to ${address}: ${message}`, { about: address });
  }
  socket.unref();
  return new StreamSink(socket, { address, timeout: timeoutOf(target) });
}

function timeoutOf(target: LogTarget): number {
  return target.driver === "fluentd" ? target.writeTimeout || patience : patience;
}

async function open(endpoint: Endpoint, target: LogTarget): Promise<Socket> {
  if ("path" in endpoint) return createConnection(endpoint.path);
  const { host, port } = endpoint;
  if (endpoint.kind === "tcp") return createConnection({ host: host || "127.0.0.1", port });
  const files = target.driver === "syslog" ? target.tls : undefined;
  const name = isIP(host) === 0 ? { servername: host } : {};
  return connectTls({ host, port, ...name, ...(await tlsOptions(files)) });
}

async function tlsOptions(files: TlsFiles | undefined) {
  const read = async (path: string | undefined) => (path ? await readFile(path) : undefined);
  return {
    rejectUnauthorized: files?.skipVerify !== true,
    ...defined({
      ca: await read(files?.ca),
      cert: await read(files?.certificate),
      key: await read(files?.key),
    }),
  };
}

async function connected(
  socket: Socket,
  event: "connect" | "secureConnect",
  signal: AbortSignal,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.once(event, () => resolve());
  socket.once("error", reject);
  socket.once("close", () => reject(new Error("the connection was closed")));
  const giveUp = () => reject(new Error("it takes too long"));
  const timer = setTimeout(giveUp, patience);
  signal.addEventListener("abort", giveUp, { once: true });
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", giveUp);
  }
}

/** Sends over a connection, one shipment at a time. */
class StreamSink implements Sink {
  readonly closed: Promise<Fault>;
  readonly #socket: Socket;
  readonly #address: string;
  readonly #timeout: number;
  readonly #reader = new AcknowledgementReader();
  readonly #closed = Promise.withResolvers<Fault>();
  #failure: Fault | undefined;
  #fail: ((error: Error) => void) | undefined;
  #awaited: { readonly text: string; readonly resolve: () => void } | undefined;

  constructor(
    socket: Socket,
    { address, timeout }: { readonly address: string; readonly timeout: number },
  ) {
    this.#socket = socket;
    this.closed = this.#closed.promise;
    this.#address = address;
    this.#timeout = timeout;
    socket.on("data", (bytes: Buffer) => this.#receive(bytes));
    socket.on("error", (error) => this.#break(error.message));
    socket.on("end", () => this.#break("it closed the connection"));
    socket.on("close", () => this.#break("the connection was closed"));
  }

  async send({ packets, acknowledgement }: Shipment): Promise<void> {
    if (this.#failure) throw this.#failure;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    this.#fail = reject;
    const timer = setTimeout(() => this.#break("it takes nothing"), this.#timeout);
    if (acknowledgement !== undefined) this.#awaited = { text: acknowledgement, resolve };
    this.#socket.write(Buffer.concat(packets), () => {
      if (acknowledgement === undefined) resolve();
    });
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      this.#fail = undefined;
      this.#awaited = undefined;
    }
  }

  close(): void {
    // What was written still goes out.
    this.#socket.end();
    this.#socket.destroySoon();
  }

  /** What comes unasked for, and is no acknowledgement, is passed over: receivers of syslog and GELF have nothing to say. */
  #receive(bytes: Buffer): void {
    if (!this.#awaited) return;
    try {
      for (const text of this.#reader.push(bytes))
        if (text === this.#awaited?.text) this.#awaited.resolve();
    } catch {
      this.#break("it answers with something that is no acknowledgement");
    }
  }

  #break(reason: string): void {
    this.#failure ??= new Fault("unavailable", `cannot ship to ${this.#address}: ${reason}`, {
      about: this.#address,
    });
    this.#fail?.(this.#failure);
    this.#closed.resolve(this.#failure);
    this.#socket.destroy();
  }
}
