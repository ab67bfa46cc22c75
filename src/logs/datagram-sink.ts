import { createSocket, type Socket } from "node:dgram";
import { lookup } from "node:dns/promises";
import { isIPv6 } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { Fault } from "#base";
import { UnixDatagrams } from "#kernel";
import type { Endpoint, Shipment } from "#log-driver";
import type { Sink } from "./sink.ts";

/** Datagrams after which others have their turn. */
const burst = 32;
/**
 * Milliseconds between two bursts over UDP: a socket queues some 200 small datagrams by default, and what comes while its
 * program is kept from running is lost.
 */
const pause = 2;

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Datagrams to a unix socket: one that is full holds the sender back. */
export class UnixDatagramSink implements Sink {
  readonly closed: Promise<Fault>;
  readonly #socket: UnixDatagrams;
  readonly #close: (reason: Fault) => void;

  constructor(path: string) {
    this.#socket = new UnixDatagrams(path);
    const { promise, resolve } = Promise.withResolvers<Fault>();
    this.closed = promise;
    this.#close = resolve;
  }

  async send({ packets }: Shipment): Promise<void> {
    for (const [index, packet] of packets.entries()) {
      await this.#socket.send(packet);
      if (index % burst === burst - 1) await turn();
    }
  }

  close(): void {
    this.#socket.close();
    this.#close(closedHere());
  }
}

/** Over UDP a receiver that is not there shows by the refusal of an earlier datagram, if at all. */
export async function openUdpSink({
  host,
  port,
}: Extract<Endpoint, { host: string }>): Promise<Sink> {
  const { address } = await lookup(host || "127.0.0.1").catch((cause: Error) => {
    throw new Fault("unavailable", `cannot find the address of ${host}: ${cause.message}`, {
      about: host,
      cause,
    });
  });
  const socket = createSocket(isIPv6(address) ? "udp6" : "udp4");
  const { promise: closed, resolve } = Promise.withResolvers<Fault>();
  let failure: Fault | undefined;
  const end = (reason: Fault) => {
    if (failure) return;
    failure = reason;
    socket.close();
    resolve(reason);
  };
  socket.on("error", (error) => end(unavailable(host, error)));
  await new Promise<void>((done, fail) => {
    socket.once("error", fail);
    socket.connect(port, address, () => done());
  });
  socket.unref();
  return {
    closed,
    close: () => end(closedHere()),
    send: async ({ packets }) => {
      for (const [index, packet] of packets.entries()) {
        if (failure) throw failure;
        await sendOne(socket, packet).catch((error: Error) => {
          throw unavailable(host, error);
        });
        if (index % burst === burst - 1) await delay(pause);
      }
    },
  };
}

function sendOne(socket: Socket, packet: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.send(packet, (error) => (error ? reject(error) : resolve()));
  });
}

const closedHere = () => new Fault("canceled", "the socket is closed");

function unavailable(host: string, cause: Error): Fault {
  return new Fault("unavailable", `cannot send to ${host}: ${cause.message}`, {
    about: host,
    cause,
  });
}
